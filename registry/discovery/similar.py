"""Vectors that point like another or against it: those that a viewer may see, and copies noted at release.

Who may have a file may compute any cosine with it; who may not could find the direction out from enough
cosines with vectors of their own. So of vectors that are gated or sold only copies are told.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Abs

from registry.accounts.access import listed_to
from registry.catalog.models import VectorVersion
from registry.catalog.notices import Notice
from registry.catalog.states import RELEASED, Access, VersionState
from registry.core.errors import RegistryError
from registry.discovery.models import NearCopy, Sketch
from registry.discovery.sketches import Match, matches, sketches_write
from registry.storage.blobs import BlobCorruptError, BlobMissingError
from steering_core.errors import FormatError

logger = logging.getLogger(__name__)

# From this cosine on, with either sign, one is told to be a copy of the other.
COPY = 0.98
# What sketches have to say for files to be compared, when copies are looked for.
LIKELY_COPY = 0.9
COPIES_COMPARED = 20
NOTICES = 3
BATCH = 50


@dataclass(frozen=True, slots=True)
class Similar:
    """A version like the one that was asked about.

    Attributes:
        relation: `near_duplicate`, `sign_flipped` or `similar`.
    """

    version: VectorVersion
    cosine: float
    relation: str


def similar_list(*, viewer: Any, version: VectorVersion, limit: int = 10) -> list[Similar]:
    """Published versions of other vectors for the same base model, of each vector the one most alike, the
    most alike first; with a minus sign where they point the opposite way.
    """
    among = Sketch.objects.filter(
        listed_to(viewer, prefix="version__vector__"), version__state=VersionState.PUBLISHED
    ).exclude(version__vector=version.vector_id)
    best: dict[Any, Match] = {}
    for sketch in version.sketches.exclude(site="").select_related("version"):
        for match in matches(sketch, among, limit=2 * limit, least=0.0):
            known = best.get(match.version.vector_id)
            if _may_be_told(version, match) and (known is None or abs(match.cosine) > abs(known.cosine)):
                best[match.version.vector_id] = match
    ranked = sorted(best.values(), key=lambda match: (-abs(match.cosine), str(match.version.vector_id)))
    return [Similar(match.version, match.cosine, relation(match.cosine)) for match in ranked[:limit]]


def relation(cosine: float) -> str:
    """What a cosine makes of two vectors."""
    if cosine >= COPY:
        return "near_duplicate"
    return "sign_flipped" if cosine <= -COPY else "similar"


def near_copies_follow(version: VectorVersion) -> None:
    """Note what a version is a copy of. It keeps nobody from publishing, and no fault of it does."""
    try:
        near_copies_note(version)
    except (RegistryError, FormatError) as error:
        logger.warning("not compared", extra={"vector_version_id": version.pk, "error": type(error).__name__})


def near_copies_note(version: VectorVersion) -> int:
    """Compare a version with all that was released before, whoever's, and write down the copies.

    Raises:
        BlobMissingError, BlobCorruptError, BlobStoreError, FormatError: its own file cannot be read.
    """
    older = Sketch.objects.filter(version__state__in=RELEASED).exclude(version__vector=version.vector_id)
    if version.published_at:
        older = older.filter(version__published_at__lt=version.published_at)
    found = {
        match.version.pk: NearCopy(version=version, source=match.version, cosine=match.cosine)
        for sketch in sketches_write(version)
        for match in matches(sketch, older, limit=COPIES_COMPARED, least=LIKELY_COPY)
        if abs(match.cosine) >= COPY
    }
    NearCopy.objects.bulk_create(found.values(), ignore_conflicts=True)
    return len(found)


def near_copies_of(*, viewer: Any, version: VectorVersion) -> QuerySet[NearCopy]:
    """What this version is a copy of, as far as the viewer may see it in lists, the clearest first."""
    rows = version.near_copies.filter(
        listed_to(viewer, prefix="source__vector__"), source__state__in=RELEASED
    )
    return rows.select_related("source__vector__owner").order_by(
        Abs("cosine").desc(), "source__published_at", "id"
    )


def has_near_copies() -> Exists:
    """Whether a version has any, for whoever reads versions."""
    return Exists(NearCopy.objects.filter(version=OuterRef("pk")))


def near_copy_notices(*, viewer: Any, version: VectorVersion) -> list[Notice]:
    """The same in words. One query, and none for a version that was read without any."""
    if not getattr(version, "has_near_copies", True):
        return []
    rows: Iterable[NearCopy] = near_copies_of(viewer=viewer, version=version)[:NOTICES]
    return [Notice("version.near_copy", _said(version, row)) for row in rows]


def sketches_mend() -> int:
    """Sketch and compare versions that were not: older than this, or whose worker died in between."""
    waiting = VectorVersion.objects.filter(
        Q(state__in=RELEASED) | Q(state=VersionState.EXTRACTED), artifact__isnull=False, sketches=None
    )
    rows = list(waiting.select_related("vector__owner").order_by("created_at")[:BATCH])
    for row in rows:
        try:
            near_copies_note(row)
        except (BlobMissingError, BlobCorruptError, FormatError) as error:
            # A mark, so that it is not tried for ever.
            Sketch.objects.create(version=row, base_model_id=row.base_model_id, site="")
            logger.error(
                "file not sketched", extra={"vector_version_id": row.pk, "error": type(error).__name__}
            )
    return len(rows)


def _may_be_told(version: VectorVersion, match: Match) -> bool:
    are_open = version.vector.access == match.version.vector.access == Access.OPEN
    return are_open or abs(match.cosine) >= COPY


def _said(version: VectorVersion, row: NearCopy) -> str:
    number = f"cosine {row.cosine:.4f}".replace("-", "−")
    if row.cosine > 0:
        return f"{version} points the same way as {row.source} ({number}), which was published before"
    return f"{version} is {row.source} with its sign flipped ({number}), which was published before"
