"""How often files are downloaded: counted in Valkey beside the request, written down by the sweeper.

A caller counts once per version and day (UTC): the token, or the address of who has none, as a hash that
changes every day and cannot be turned back without the service's secret. Losing Valkey loses counts of the
last minute and lets callers of that day count twice; it never costs a download.
"""

import hashlib
import hmac
import logging
import uuid
from collections.abc import Collection, Sequence
from datetime import date, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from registry.catalog.models import VectorVersion
from registry.core.valkey import AWAY, PREFIX, valkey
from registry.discovery.entries import entries_use
from registry.serving.models import DailyDownloads, DownloadBatch, VectorDownloads

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 60.0
SEEN_SECONDS = 2 * 86_400
# Batches that were added are remembered for as long as one may turn up again.
BATCHES_KEPT = timedelta(days=30)
RECENT_DAYS = 30
_PENDING = f"{PREFIX}downloads:pending"
_BATCHES = f"{PREFIX}downloads:batches"

# One round trip, and nobody can come between the two.
_COUNT = """
if redis.call('SADD', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
return 1
"""
_TAKE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[3])
redis.call('SADD', KEYS[2], ARGV[1])
return 1
"""

# (day, version id, kind) -> how many
Counts = dict[tuple[date, uuid.UUID, str], int]


def download_count(*, version_id: uuid.UUID, caller: str, is_automatic: bool) -> None:
    """Count a download that was granted, unless this caller has been counted today.

    Args:
        caller: names a token or an address; only a hash of it leaves this function.
        is_automatic: whether a build or a crawler asks.
    """
    day = timezone.now().date().isoformat()
    kind = DailyDownloads.Kind.CI if is_automatic else DailyDownloads.Kind.DIRECT
    seen = f"{PREFIX}downloads:seen:{day}:{version_id}:{kind}"
    try:
        valkey().eval(
            *(_COUNT, 2, seen, _PENDING),
            *(_hashed(day, caller), f"{day}/{version_id}/{kind}", SEEN_SECONDS),
        )
    except AWAY as error:
        logger.warning("valkey out of reach, download not counted", extra={"error": type(error).__name__})


def downloads_flush() -> int:
    """Write down what was counted, and what an earlier flush that died left; the number of downloads."""
    batch = uuid.uuid4()
    try:
        valkey().eval(_TAKE, 3, _PENDING, _BATCHES, _batch_key(str(batch)), str(batch))
        waiting = sorted(name.decode() for name in valkey().smembers(_BATCHES))
        return sum(_flush_batch(name) for name in waiting) + _refresh_old()
    except AWAY as error:
        logger.warning("valkey out of reach, downloads wait", extra={"error": type(error).__name__})
        return 0


def _flush_batch(name: str) -> int:
    counts = _read(valkey().hgetall(_batch_key(name)))
    added = _add(uuid.UUID(name), counts)
    valkey().delete(_batch_key(name))
    valkey().srem(_BATCHES, name)
    return added


def _add(batch: uuid.UUID, counts: Counts) -> int:
    """Add a batch to the rows once, however often it is met."""
    DownloadBatch.objects.filter(at__lt=timezone.now() - BATCHES_KEPT).delete()
    with transaction.atomic():
        _, is_new = DownloadBatch.objects.get_or_create(id=batch)
        if not is_new:
            return 0
        known = set(
            VectorVersion.objects.filter(pk__in={version for _, version, _ in counts}).values_list(
                "pk", flat=True
            )
        )
        # In one order everywhere, so that two flushes cannot wait for each other.
        rows = [
            (version, day, kind, n) for (day, version, kind), n in sorted(counts.items()) if version in known
        ]
        with connection.cursor() as cursor:
            cursor.executemany(_ADD, rows)
        vectors = VectorVersion.objects.filter(pk__in=known).values_list("vector_id", flat=True)
        _refresh(set(vectors))
    return sum(n for *_, n in rows)


def recent_downloads(vectors: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The downloads of these vectors in the last 30 days, without CI; those that have some."""
    rows = VectorDownloads.objects.filter(vector__in=vectors)
    return dict(rows.values_list("vector_id", "last_30_days"))


def _refresh(vectors: Collection[uuid.UUID]) -> None:
    """Add up the days of these vectors anew, and tell the search."""
    today = timezone.now().date()
    with connection.cursor() as cursor:
        for vector in sorted(vectors):
            cursor.execute(_SUM, [today - timedelta(days=RECENT_DAYS), today, vector])
    entries_use(recent_downloads(list(vectors)))


def _refresh_old() -> int:
    """Once a day, let what is older than 30 days leave the sums; it is no download."""
    today = timezone.now().date()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OLD, [today])
        _refresh([row[0] for row in cursor.fetchall()])
    return 0


def _read(fields: dict[bytes, bytes]) -> Counts:
    counts: Counts = {}
    for name, n in fields.items():
        day, version, kind = name.decode().split("/")
        counts[date.fromisoformat(day), uuid.UUID(version), kind] = int(n)
    return counts


def _hashed(day: str, caller: str) -> bytes:
    secret = settings.SECRET_KEY.encode()
    return hmac.new(secret, f"downloads:{day}:{caller}".encode(), hashlib.sha256).digest()[:12]


def _batch_key(name: str) -> str:
    return f"{PREFIX}downloads:batch:{name}"


_ADD = """
INSERT INTO serving_dailydownloads (version_id, day, kind, count) VALUES (%s, %s, %s, %s)
ON CONFLICT (version_id, day, kind) DO UPDATE SET count = serving_dailydownloads.count + EXCLUDED.count
"""
_SUM = """
INSERT INTO serving_vectordownloads (vector_id, total, last_30_days, as_of)
SELECT v.vector_id, SUM(d.count), COALESCE(SUM(d.count) FILTER (WHERE d.day > %s), 0), %s
FROM serving_dailydownloads d JOIN catalog_vectorversion v ON v.id = d.version_id
WHERE v.vector_id = %s AND d.kind = 'direct' GROUP BY v.vector_id
ON CONFLICT (vector_id) DO UPDATE
SET total = EXCLUDED.total, last_30_days = EXCLUDED.last_30_days, as_of = EXCLUDED.as_of
"""
_OLD = """
SELECT vector_id FROM serving_vectordownloads WHERE as_of < %s AND last_30_days > 0
ORDER BY vector_id LIMIT 1000 FOR UPDATE SKIP LOCKED
"""
