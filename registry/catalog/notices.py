"""What users of a vector or a version should know: it is yanked, deprecated, has moved, or was removed."""

from dataclasses import dataclass
from typing import Any

from registry.catalog.models import Vector, VectorVersion
from registry.catalog.states import RemovalKind, VersionState
from registry.core.errors import LegallyRemovedError, RemovedError


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning with a stable code; it keeps nobody from the file."""

    code: str
    message: str


def vector_notices(vector: Vector) -> list[Notice]:
    """What goes for all versions; no query."""
    found = []
    if vector.asked_as:
        found.append(moved_notice("vector", vector))
    if vector.deprecated_at:
        found.append(Notice("vector.deprecated", _deprecated(vector)))
    return found


def version_notices(version: VectorVersion) -> list[Notice]:
    """What goes for a version, that of its vector included; no query."""
    found = vector_notices(version.vector)
    if version.deprecated_at:
        found.append(Notice("version.deprecated", _deprecated(version)))
    if version.state == VersionState.YANKED:
        found.append(Notice("version.yanked", f"{version} is yanked: {version.yank_reason}"))
    return found


def moved_notice(noun: str, row: Any) -> Notice:
    """Word of the new name to whoever used an old one."""
    return Notice(f"{noun}.moved", f"{row.asked_as} is called {row} now; the old name keeps working")


def check_present(row: Vector | VectorVersion) -> None:
    """Refuse what operators removed; whoever asks may know that it was there.

    Raises:
        RemovedError, LegallyRemovedError: says when and why.
    """
    if error := removal_error(row):
        raise error


def removal_error(row: Vector | VectorVersion) -> RemovedError | None:
    """What to say of a row that operators removed; None for others."""
    if row.removed_at is None:
        return None
    error = LegallyRemovedError if row.removal_kind == RemovalKind.LEGAL else RemovedError
    return error(f"{row} was removed on {row.removed_at:%Y-%m-%d}: {row.removal_reason}")


def _deprecated(row: Vector | VectorVersion) -> str:
    instead = f"; use {row.replacement} instead" if row.replacement else ""
    return f"{row} is deprecated: {row.deprecation_reason.rstrip('.')}{instead}"
