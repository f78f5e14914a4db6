"""What versions come from, and what came from them: one step at a time, for many versions at once.

`runs.lineage` walks it, and adds runs and presets.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from registry.accounts.access import held_by, visible_to
from registry.accounts.roles import Role
from registry.catalog.models import VectorVersion, VersionParent
from registry.catalog.states import NAMED, UNRELEASED


@dataclass(frozen=True, slots=True)
class Descent:
    """That a version came from another one; `weight` is None where nothing was multiplied."""

    parent: uuid.UUID
    child: uuid.UUID
    kind: str
    weight: float | None = None


def parent_files(*, version: VectorVersion) -> list[tuple[str, float]]:
    """The files that a version is computed from, by sha256, and their weights, in order."""
    rows = VersionParent.objects.filter(child=version)
    return [(str(sha256), weight) for sha256, weight in rows.values_list("parent__artifact_id", "weight")]


def descents_of(versions: Collection[uuid.UUID], *, upward: bool) -> list[Descent]:
    """The steps to the parents of these versions, or to their children."""
    side = "child" if upward else "parent"
    rows = VersionParent.objects.filter(**{f"{side}__in": versions})
    found = [Descent(*row) for row in rows.values_list("parent_id", "child_id", "kind", "weight")]
    moved = (
        {"pk__in": versions, "migrated_from__isnull": False} if upward else {"migrated_from__in": versions}
    )
    pairs = VectorVersion.objects.filter(**moved).order_by("created_at", "id")
    found += [Descent(*row, "migrated") for row in pairs.values_list("migrated_from_id", "pk")]
    return found


def versions_shown(viewer: Any, versions: Collection[uuid.UUID]) -> dict[uuid.UUID, VectorVersion]:
    """Those of these versions that the viewer may see, without their large columns."""
    drafts = held_by(viewer, Role.WRITER, prefix="vector__") & Q(state__in=UNRELEASED)
    rows = VectorVersion.objects.filter(
        visible_to(viewer, prefix="vector__"), Q(state__in=NAMED) | drafts, pk__in=versions
    )
    rows = rows.select_related("vector__owner", "base_model", "dataset_version__dataset__owner")
    return {row.pk: row for row in rows.defer("spec", "manifest", "report")}


def versions_named(versions: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these versions that were released, whoever may see them."""
    rows = VectorVersion.objects.filter(pk__in=versions, state__in=NAMED)
    return set(rows.values_list("pk", flat=True))
