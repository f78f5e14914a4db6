"""What engines are told about a preset version: request bodies and flags, made of its members' own files."""

from typing import Any

from registry.accounts.access import check_files
from registry.catalog.notices import check_present
from registry.catalog.selectors import artifact_read
from registry.core.errors import InvalidError, NotFoundError
from registry.presets.models import PresetMember, PresetVersion
from registry.presets.selectors import visible_members
from steering_core.errors import FormatError
from steering_core.formats.bearing import read_vector
from steering_core.formats.preset_engines import SHOWN, MixUse, Part, mix_use

# Of all members together; a body of more takes a web process too long, and a request too long to send.
MAX_BYTES = 8 * 1024 * 1024


def preset_uses(*, viewer: Any, version: PresetVersion, engine: str = "") -> list[MixUse]:
    """How engines apply a version: one of `SHOWN`, or all of them.

    Raises:
        InvalidError: no such engine, or the files are too large to be put into an answer.
        NotFoundError, NotAllowedError, RemovedError: a member's file is not the viewer's to have.
    """
    if engine and engine not in SHOWN:
        raise InvalidError(
            f"engine {engine!r} is not known; choose one of {', '.join(SHOWN)}",
            code="preset.engine",
            fields={"engine": "unknown"},
        )
    members = version.ordered
    _check_files(viewer, version, members)
    size = sum(m.vector_version.artifact.size_bytes for m in members if m.vector_version.artifact)
    if size > MAX_BYTES:
        raise InvalidError(
            f"the vectors have {size:,} bytes, more than the {MAX_BYTES:,} that go into an answer; pull the "
            "preset and write its body there: bearing presets uses",
            code="preset.too_large",
        )
    parts = [_part(member, at) for member, at in zip(members, version.strengths, strict=True)]
    return [mix_use(name, parts) for name in ([engine] if engine else SHOWN)]


def _part(member: PresetMember, strength: float) -> Part:
    row = member.vector_version
    try:
        vector = read_vector(artifact_read(version=row))
    except FormatError as error:
        # It was read as strictly before it was stored.
        raise RuntimeError(f"the stored file of {row} cannot be read") from error
    return Part(member.label, str(row), vector, strength)


def _check_files(viewer: Any, version: PresetVersion, members: list[PresetMember]) -> None:
    seen = visible_members(viewer, version)
    for member in members:
        row = member.vector_version
        if member.pk not in seen:
            raise NotFoundError(
                f"the vector of {member.label} is not yours to see", code="preset.member_not_found"
            )
        check_present(row.vector)
        check_present(row)
        check_files(viewer, row.vector)
