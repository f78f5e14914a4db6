"""What users of a preset should know: it is yanked or unmeasured, or something became of a member."""

from collections.abc import Iterator

from registry.catalog.notices import Notice, moved_notice
from registry.catalog.states import VersionState
from registry.presets.models import PresetMember, PresetVersion
from registry.presets.states import PresetState


def preset_notices(version: PresetVersion) -> list[Notice]:
    """What goes for a version, its members included; no query once they are prefetched."""
    found = []
    if version.preset.asked_as:
        found.append(moved_notice("preset", version.preset))
    if version.state == PresetState.YANKED:
        found.append(Notice("preset.yanked", f"{version} is yanked: {version.yank_reason}"))
    if version.composition is None:
        found.append(
            Notice("preset.unmeasured", f"nobody measured what the vectors of {version} do together")
        )
    for member in version.ordered:
        found.extend(_member_notices(member))
    return found


def _member_notices(member: PresetMember) -> Iterator[Notice]:
    row = member.vector_version
    vector = row.vector
    if row.state == VersionState.REMOVED or vector.removed_at:
        yield Notice("preset.member_removed", f"operators removed {row}, so {member.label} cannot be had")
    elif row.state == VersionState.YANKED:
        yield Notice("preset.member_yanked", f"{row} ({member.label}) is yanked: {row.yank_reason}")
    if row.deprecated_at or vector.deprecated_at:
        reason = row.deprecation_reason if row.deprecated_at else vector.deprecation_reason
        yield Notice("preset.member_deprecated", f"{row} ({member.label}) is deprecated: {reason}")
