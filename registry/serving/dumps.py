"""The public catalog as one file a day: gzip of JSON Lines, by digest in the blob store.

A line for each released version of a public vector; apps above add their kinds to `SECTIONS`. docs/api.md
says what the lines hold. A dump that has a line of something which is public no more (made private, removed)
is given to nobody from then on, and withdrawn by the chore, which makes a new one for today.
"""

import gzip
import logging
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, BinaryIO

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from registry.accounts.access import Visibility
from registry.catalog.models import VectorVersion
from registry.catalog.states import RELEASED
from registry.core.errors import NotFoundError
from registry.serving.models import CatalogDump, DumpedRow
from registry.storage.services import blob_put
from steering_core.spec import canonical_json, digest

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/gzip"
LISTED = 30
LOOK_SECONDS = 600.0
# Rows that are in memory at once.
CHUNK = 200


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of line.

    Attributes:
        public: the rows that everybody may see listed, in an order that depends on nothing else.
        line: what is said of one, `kind` excepted; no query.
    """

    kind: str
    public: Callable[[], QuerySet[Any]]
    line: Callable[[Any], dict[str, Any]]


def public_versions() -> QuerySet[VectorVersion]:
    """Released versions of public vectors that nobody took away."""
    rows = VectorVersion.objects.filter(
        state__in=RELEASED,
        removed_at=None,
        vector__visibility=Visibility.PUBLIC,
        vector__removed_at=None,
    )
    rows = rows.select_related("vector__owner", "base_model", "artifact")
    return rows.order_by("vector__owner__slug", "vector__name", "published_at", "pk")


def version_line(row: VectorVersion) -> dict[str, Any]:
    """A version of a vector in short."""
    vector, window = row.vector, (row.manifest or {}).get("window")
    retired = row if row.deprecated_at else vector
    return {
        "reference": str(row),
        "digest": row.digest,
        "size_bytes": row.artifact.size_bytes if row.artifact else None,
        "conformance_digest": f"sha256:{row.conformance_id}" if row.conformance_id else None,
        "base_model": {"name": row.base_model.name, "model_hash": row.base_model.model_hash},
        "spec": row.spec,
        "spec_digest": row.spec_digest,
        "verdict": row.verdict,
        "grade": row.grade,
        "report_digest": digest(canonical_json(row.report)),
        "window": window,
        "license": row.license,
        "access": vector.access,
        "title": vector.title,
        "description": vector.description,
        "trait": vector.trait,
        "domain": vector.domain,
        "language": vector.language,
        "published_at": row.published_at.isoformat() if row.published_at else None,
        "yanked": {"at": row.yanked_at.isoformat(), "reason": row.yank_reason} if row.yanked_at else None,
        "deprecated": {"reason": retired.deprecation_reason, "replacement": retired.replacement}
        if retired.deprecated_at
        else None,
        "url": f"{settings.PUBLIC_URL}/api/v1/vectors/{vector}/versions/{row.version}/download",
    }


SECTIONS = [Section("version", public_versions, version_line)]


def catalog_dump() -> CatalogDump:
    """Write today's dump, in place of the one that there may be. Equal rows give equal bytes.

    The rows are read through a cursor of the server, a few at a time; the compressed file is in memory when
    it is stored, as every blob is.
    """
    today = timezone.now().date()
    with tempfile.TemporaryFile() as file:
        lines = _write(file, today)
        file.seek(0)
        blob = blob_put(data=file.read(), media_type=MEDIA_TYPE)
    dump, _ = CatalogDump.objects.update_or_create(day=today, defaults={"blob": blob, "lines": lines})
    logger.info("catalog dumped", extra={"lines": lines, "size_bytes": blob.size_bytes})
    return dump


def catalog_dump_daily() -> int:
    """Withdraw dumps that say too much, then make today's if there is none; how many were made."""
    dumps_withdraw()
    if CatalogDump.objects.filter(day=timezone.now().date()).exists():
        return 0
    catalog_dump()
    return 1


def dumps_withdraw() -> int:
    """Delete the dumps that have a line of what is public no more; how many."""
    withdrawn = 0
    for row in list(_hidden()):
        deleted, _ = CatalogDump.objects.filter(day__range=(row.first_day, row.last_day)).delete()
        row.delete()
        withdrawn += deleted
    return withdrawn


def dump_list() -> list[CatalogDump]:
    """The last dumps, newest first, without those that have a line of what is public no more."""
    spans = [(row.first_day, row.last_day) for row in _hidden()]
    rows = CatalogDump.objects.select_related("blob")[:LISTED]
    return [row for row in rows if not any(first <= row.day <= last for first, last in spans)]


def dump_get(*, day: str) -> CatalogDump:
    """The dump of a day, `2026-11-29`, or the `latest`.

    Raises:
        NotFoundError: there is none of that day, or not any more.
    """
    rows = dump_list()
    row = next((row for row in rows if day in ("latest", row.day.isoformat())), None)
    if row is None:
        raise NotFoundError(
            f"there is no dump {day!r}; GET /dumps lists the last {LISTED}, one a day",
            code="dump.not_found",
        )
    return row


def dump_by_digest(*, sha256: str) -> CatalogDump | None:
    """The dump with these bytes, as long as it is listed."""
    return next((row for row in dump_list() if row.blob_id == sha256), None)


def _write(file: BinaryIO, today: date) -> int:
    """All lines; which rows have one is noted before the dump is there, so that none is forgotten."""
    lines = 0
    # Without a name and a time, so that the bytes depend on the lines alone.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        for section in SECTIONS:
            for rows in _chunks(section.public()):
                for row in rows:
                    packed.write(canonical_json({"kind": section.kind, **section.line(row)}) + b"\n")
                _note(section.kind, [row.pk for row in rows], today)
                lines += len(rows)
    return lines


def _chunks(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """The rows a few at a time, all of one moment, through a cursor of the server."""
    each = rows.iterator(chunk_size=CHUNK)
    while chunk := list(islice(each, CHUNK)):
        yield chunk


def _note(kind: str, rows: list[uuid.UUID], today: date) -> None:
    DumpedRow.objects.bulk_create(
        [DumpedRow(kind=kind, row=row, first_day=today, last_day=today) for row in rows],
        update_conflicts=True,
        unique_fields=["kind", "row"],
        update_fields=["last_day"],
    )


def _hidden() -> QuerySet[DumpedRow]:
    """Of what has a line in a dump, that which is public no more."""
    public = Q()
    for section in SECTIONS:
        rows = section.public().order_by().filter(pk=OuterRef("row"))
        public |= Q(Exists(rows), kind=section.kind)
    return DumpedRow.objects.exclude(public)
