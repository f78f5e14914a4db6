"""Read presets. Every function takes the viewer; what the viewer may not see does not exist.

A version comes with its members and their vector versions, which its viewer may not all see: who shows a
member's file asks `catalog.selectors` or `accounts.access` for it.
"""

import uuid
from collections.abc import Collection
from typing import Any

from django.db.models import Case, Count, OuterRef, Prefetch, Q, QuerySet, Subquery, When

from registry.accounts.access import Visibility, held_by, listed_to, may, visible_to
from registry.accounts.ownership import row_named
from registry.accounts.roles import Role
from registry.core.errors import NotFoundError
from registry.core.naming import parse_reference, version_key
from registry.presets.models import Preset, PresetMember, PresetVersion
from registry.presets.states import RELEASED, PresetState
from steering_core.spec import digest_hex


def preset_search(
    *,
    viewer: Any,
    query: str = "",
    owner: str = "",
    base_model: str = "",
    model_hash: str = "",
    domain: str = "",
    mine: bool = False,
) -> QuerySet[Preset]:
    """Published presets the viewer may see, newest first; `mine` gives those that the viewer may change,
    drafts and all.
    """
    rows = Preset.objects.filter(held_by(viewer, Role.WRITER) if mine else listed_to(viewer)).select_related(
        "owner", "latest__base_model", "latest__manifest"
    )
    # Lists name the sliders; of what was measured of the mix they show the verdict.
    rows = rows.prefetch_related("latest__members").defer("latest__composition")
    if not mine:
        rows = rows.filter(latest__isnull=False)
    if query:
        words = Q(name__icontains=query) | Q(title__icontains=query) | Q(description__icontains=query)
        rows = rows.filter(words | Q(owner__slug__icontains=query))
    if owner:
        rows = rows.filter(owner__slug=owner)
    if base_model:
        named = Q(latest__base_model__name=base_model) | Q(latest__base_model__model_hash=base_model)
        rows = rows.filter(named)
    if domain:
        rows = rows.filter(domain=domain)
    if model_hash:
        rows = rows.filter(latest__base_model__model_hash=model_hash)
    return rows


def preset_counts(rows: QuerySet[Preset], field: str) -> list[tuple[str, int]]:
    """How many presets of a search have which value of a column, most frequent first; without empty ones."""
    counted = rows.order_by().prefetch_related(None).values_list(field).annotate(n=Count("pk", distinct=True))
    return sorted(((value, n) for value, n in counted if value), key=lambda item: (-item[1], item[0]))


def preset_get(*, viewer: Any, owner: str, name: str) -> Preset:
    """One preset, by its name or by one that it had.

    Raises:
        NotFoundError: unknown, private and not the viewer's, or never published and not the viewer's.
    """
    rows = Preset.objects.filter(visible_to(viewer)).select_related(
        "owner", "latest__base_model", "latest__manifest"
    )
    row: Preset | None = row_named(rows, owner, name)
    if row is None or (row.latest_id is None and not _is_shown_unpublished(viewer, row)):
        raise NotFoundError(f"there is no preset {owner}/{name}", code="preset.not_found")
    return row


def preset_version_list(*, viewer: Any, preset: Preset) -> list[PresetVersion]:
    """The versions of a preset that the viewer may see, highest first; drafts come before them for those who
    may change it, newest first.
    """
    rows = version_rows().filter(preset=preset)
    released = sorted(
        rows.filter(state__in=RELEASED), key=lambda row: version_key(row.version or "0.0.0"), reverse=True
    )
    if may(viewer, Role.WRITER, preset):
        return [*rows.filter(state=PresetState.DRAFT), *released]
    return released


def preset_version_get(*, viewer: Any, owner: str, name: str, reference: str = "latest") -> PresetVersion:
    """A version by digest, exact version or `latest`, with its members and their vector versions prefetched.
    A yanked one resolves by digest and exact version only; a draft by its row id, for who may change it.

    Raises:
        NotFoundError: no such preset or version for this viewer.
        InvalidError: the reference is of none of these forms.
    """
    draft_id = _uuid(reference)
    wanted = parse_reference("latest" if draft_id else reference)
    preset = preset_get(viewer=viewer, owner=owner, name=name)
    rows = version_rows().filter(preset=preset)
    row: PresetVersion | None
    if draft_id:
        row = rows.filter(pk=draft_id).exclude(state=PresetState.DISCARDED).first()
        if row and row.state == PresetState.DRAFT and not may(viewer, Role.WRITER, preset):
            row = None
    elif wanted.version:
        row = rows.filter(version=wanted.version, state__in=RELEASED).first()
    elif wanted.digest:
        row = rows.filter(manifest_id=digest_hex(wanted.digest), state__in=RELEASED).first()
    else:
        # Presets have no aliases, so of a word nothing but `latest` is known.
        row = rows.filter(pk=preset.latest_id).first() if preset.latest_id and not wanted.alias else None
    if row is None:
        raise NotFoundError(f"{owner}/{name} has no version {reference}", code="preset.version_not_found")
    # With the name that was asked for.
    row.preset = preset
    return row


def preset_version_by_digest(*, viewer: Any, sha256: str) -> PresetVersion | None:
    """A released version that the viewer may see whose `preset.json` has this digest; None for none."""
    rank = Case(When(preset__visibility=Visibility.PUBLIC, then=0), default=1)
    rows = version_rows().filter(manifest_id=sha256, state__in=RELEASED)
    return rows.filter(visible_to(viewer, prefix="preset__")).order_by(rank).first()


def measured_with(*, viewer: Any, version_ids: Collection[uuid.UUID], limit: int = 1) -> list[PresetVersion]:
    """Published versions that the viewer may see, whose measured mix has all of these vector versions in it;
    the smallest mix first, since its numbers are the nearest to those of these alone.
    """
    rows = version_rows().filter(
        visible_to(viewer, prefix="preset__"), state=PresetState.PUBLISHED, composition__isnull=False
    )
    for version_id in version_ids:
        rows = rows.filter(members__vector_version=version_id)
    sizes = PresetMember.objects.filter(version=OuterRef("pk")).order_by().values("version")
    size = Subquery(sizes.annotate(n=Count("pk")).values("n"))
    return list(rows.annotate(size=size).order_by("size", "-published_at")[:limit])


def version_rows() -> QuerySet[PresetVersion]:
    """Versions with what their objects on the wire speak of; who may see them is for the caller to say."""
    rows = PresetVersion.objects.select_related("preset__owner", "base_model", "manifest")
    return rows.prefetch_related(Prefetch("members", member_rows()))


def member_rows() -> QuerySet[PresetMember]:
    """Members with their vector versions."""
    return PresetMember.objects.select_related(
        "vector_version__vector__owner",
        "vector_version__base_model",
        "vector_version__artifact",
        "vector_version__conformance",
        "vector_version__dataset_version__dataset__owner",
    )


def visible_members(viewer: Any, version: PresetVersion) -> set[int]:
    """The ids of those members whose vectors the viewer may see; one query."""
    rows = version.members.filter(visible_to(viewer, prefix="vector_version__vector__"))
    return set(rows.values_list("pk", flat=True))


def _is_shown_unpublished(viewer: Any, row: Preset) -> bool:
    """Whether somebody may know of a preset without a published version; a yanked one is still there."""
    return may(viewer, Role.WRITER, row) or row.versions.filter(state__in=RELEASED).exists()


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if len(text) == 36 else None
    except ValueError:
        return None
