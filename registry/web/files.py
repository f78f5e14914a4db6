"""The files of a version as a table: its own, what goes with it, and other engines' forms, made on demand."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from registry.catalog.models import VectorVersion
from registry.catalog.states import RELEASED, Access
from registry.core.errors import NotFoundError
from registry.serving.conversions import FORMATS, WRITERS, conversion_file
from registry.serving.models import Conversion
from registry.serving.selectors import conversion_list
from registry.storage.models import Blob
from steering_core.formats.engines import ENGINES


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file; `url` is empty where there is nothing to fetch yet.

    Attributes:
        format: of a form that can be made, what to ask for; empty for others.
        state: `ready`, `none` (nobody asked yet), `waiting`, `refused` or `failed`.
        reason: why it cannot be.
    """

    name: str
    what: str
    reads: str
    state: str
    size: int | None = None
    digest: str = ""
    url: str = ""
    format: str = ""
    reason: str = ""


def file_rows(version: VectorVersion) -> list[FileRow]:
    """Of a released version all of them; of a draft its own file."""
    if version.artifact is None:
        return []
    place = (version.vector.owner.slug, version.vector.name)
    stem = f"{'-'.join(place)}-{version.version or 'draft'}"
    is_released = version.state in RELEASED
    url = (
        reverse("web:vector_download", args=(*place, version.version))
        if is_released
        else reverse("web:draft_download", args=(*place, version.pk))
    )
    rows = [
        FileRow(
            f"{stem}.safetensors", "The vector itself", "Bearing’s client, vLLM through it",
            "ready", version.artifact.size_bytes, version.digest, url,
        )
    ]  # fmt: skip
    if not is_released:
        return rows
    # The interface knows tokens and no sessions: a link there works for what is open to all.
    is_open = version.vector.visibility == "public" and version.vector.access == Access.OPEN
    api = _api(version) if is_open else ""
    if version.conformance is not None:
        blob = version.conformance
        rows.append(
            FileRow(
                "conformance.safetensors", "Certificate: what an engine must do with it", "bearing verify",
                "ready", blob.size_bytes, blob.digest, f"{api}/conformance" if api else "",
            )
        )  # fmt: skip
    if api:
        words = "The report that this page shows"
        rows.append(FileRow("report.json", words, "anything", "ready", url=f"{api}/report"))
    made = conversion_list(version=version, writers=WRITERS)
    for format in FORMATS:
        rows += _forms(format, made.get(format), stem, url)
    return rows


def converted_blob(version: VectorVersion, format: str, part: str = "") -> tuple[Blob, str]:
    """The file of another engine's form that was made before, and what its name ends with.

    Raises:
        NotFoundError: nobody has asked for it yet, or it has no such part.
    """
    made = conversion_list(version=version, writers=WRITERS).get(format)
    if made is None or made.state != Conversion.State.DONE:
        raise NotFoundError(
            f"{version} has no file of the form {format[:40]!r} yet; ask for it on its page, under Files",
            code="conversion.not_made",
        )
    file = conversion_file(conversion=made, part=part)
    return file.blob, file.suffix


def _api(version: VectorVersion) -> str:
    vector = version.vector
    return f"/api/v1/vectors/{vector.owner.slug}/{vector.name}/versions/{version.version}"


def _forms(format: str, made: Conversion | None, stem: str, url: str) -> list[FileRow]:
    """The files of one form, or that it can be made."""
    engine = ENGINES[format]
    what = f"For {engine.title}"
    if made is None:
        return [FileRow(f"{stem}{engine.suffix}", what, engine.title, "none", format=format)]
    if made.state == Conversion.State.DONE:
        return [_made(file, format, engine, stem, what, url) for file in made.files.all()]
    state = {Conversion.State.REFUSED: "refused", Conversion.State.FAILED: "failed"}.get(
        Conversion.State(made.state), "waiting"
    )
    reason = made.error_message if state == "refused" else ""
    asked = "" if state == "refused" else format
    return [FileRow(f"{stem}{engine.suffix}", what, engine.title, state, format=asked, reason=reason)]


def _made(file: Any, format: str, engine: Any, stem: str, what: str, url: str) -> FileRow:
    part = "" if file.suffix == engine.suffix else f"&part={file.suffix.lstrip('.')}"
    return FileRow(
        f"{stem}{file.suffix}", what, engine.title, "ready", file.blob.size_bytes, file.blob.digest,
        f"{url}?format={format}{part}",
    )  # fmt: skip
