"""Read the counts of downloads."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from registry.accounts.access import listed_to
from registry.accounts.models import Namespace
from registry.catalog.models import Vector, VectorVersion
from registry.serving.models import Conversion, DailyDownloads, VectorDownloads

DIRECT, CI = DailyDownloads.Kind.DIRECT, DailyDownloads.Kind.CI


@dataclass(frozen=True, slots=True)
class Day:
    """The downloads of a day (UTC), CI apart."""

    day: date
    downloads: int
    ci: int


@dataclass(frozen=True, slots=True)
class DownloadSeries:
    """The downloads of a vector: in all, lately, of each version in all, and of each day asked for."""

    total: int
    last_30_days: int
    versions: dict[str, int] = field(default_factory=dict)
    days: list[Day] = field(default_factory=list)


def download_totals(vector: Vector) -> dict[str, int]:
    """`{"total", "last_30_days"}` without CI; no query after `select_related("downloads")`."""
    try:
        row = vector.downloads
    except VectorDownloads.DoesNotExist:
        return {"total": 0, "last_30_days": 0}
    return {"total": row.total, "last_30_days": row.last_30_days}


def downloads_of_owner(*, viewer: Any, owner: Namespace) -> tuple[int, int]:
    """In all and of the last 30 days, without CI, of those vectors that the viewer sees in lists."""
    rows = VectorDownloads.objects.filter(listed_to(viewer, prefix="vector__"), vector__owner=owner)
    found = rows.filter(vector__removed_at=None).aggregate(all=Sum("total"), recent=Sum("last_30_days"))
    return found["all"] or 0, found["recent"] or 0


def download_series(*, vector: Vector, days: int) -> DownloadSeries:
    """The downloads of a vector that the caller may see; the days without gaps, today the last."""
    rows = DailyDownloads.objects.filter(version__vector=vector)
    today = timezone.now().date()
    first = today - timedelta(days=days - 1)
    found = {
        (day, kind): n
        for day, kind, n in rows.filter(day__gte=first)
        .order_by()
        .values_list("day", "kind")
        .annotate(n=Sum("count"))
    }
    each = [first + timedelta(days=n) for n in range(days)]
    versions = (
        rows.filter(kind=DIRECT, version__version__isnull=False)
        .order_by()
        .values_list("version__version")
        .annotate(n=Sum("count"))
    )
    return DownloadSeries(
        **download_totals(vector),
        versions=dict(versions),
        days=[Day(day, found.get((day, DIRECT), 0), found.get((day, CI), 0)) for day in each],
    )


def conversion_list(*, version: VectorVersion, writers: int) -> dict[str, Conversion]:
    """The conversions of a version's file that were asked for, by format."""
    rows = Conversion.objects.filter(artifact=version.artifact_id, writers=writers)
    return {row.format: row for row in rows.prefetch_related("files__blob")}
