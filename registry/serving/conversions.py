"""Other engines' forms of native files. The row is the truth, Celery the doorbell, as for runs.

All are made by a worker, small ones too. Measured on one core: a vector of one block takes 0.1 to 12 ms in
every form, 80 blocks of width 8192 take 20 ms as GGUF and a second as `.svec` or Neuronpedia JSON, which is
too long for a web process; and one way is less to go wrong than two.
"""

import logging
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from registry.celery import app
from registry.core.errors import InvalidError, NotFoundError, UnavailableError
from registry.serving.models import Conversion, ConvertedFile
from registry.storage.models import Blob
from registry.storage.services import blob_put
from steering_core.formats.engines import ENGINES

logger = logging.getLogger(__name__)

CONVERT = "bearing.convert"
QUEUE = "cpu"
# Raised by whoever changes what an engine's writer writes: files are made again then.
WRITERS = 1
LEASE_SECONDS = 120
MAX_ATTEMPTS = 3
# After a fault of ours, asking again tries again from then on.
FAILED_SECONDS = 600
BATCH = 100

# Files that only torch writes, and the native file itself.
_NOT_OFFERED = ("lm-eval", "persona", "bearing")
FORMATS = tuple(name for name in ENGINES if name not in _NOT_OFFERED)
# What people say for an engine's file; repeng reads and writes the file of llama.cpp.
ALIASES = {"gguf": "llama.cpp", "repeng": "llama.cpp"}
_MEDIA_TYPES = {
    ".json": "application/json",
    ".svec": "application/json",
    ".py": "text/x-python",
}


class ConversionFailedError(UnavailableError):
    """A worker could not make the file, through no fault of the vector."""

    default_code = "conversion.failed"


@dataclass(frozen=True, slots=True)
class ConversionClaim:
    """What a worker is to make, and the token that its result needs."""

    conversion_id: str
    lease_token: int
    artifact_sha256: str
    format: str


@dataclass(frozen=True, slots=True)
class ConversionResult:
    """What a worker made: files by suffix, the main one first."""

    files: dict[str, bytes]
    warnings: tuple[str, ...] = ()
    usage: str = field(default="")


def conversion_request(*, artifact: Blob, format: str) -> Conversion:
    """The conversion of a native file, made to wait for a worker when it is asked for the first time.

    However many ask at once, there is one.

    Raises:
        InvalidError: no such form is offered, or the engine cannot say this vector.
        ConversionFailedError: a worker could not make it; try again later.
    """
    name = ALIASES.get(format, format)
    if name not in FORMATS:
        raise InvalidError(
            f"format {format!r} is not offered; choose one of {', '.join((*ALIASES, *FORMATS))}, or convert "
            "the native file with `bearing convert`",
            code="conversion.format_unknown",
            fields={"format": "unknown"},
        )
    with transaction.atomic():
        row, is_new = Conversion.objects.get_or_create(artifact=artifact, format=name, writers=WRITERS)
        if is_new or _may_try_again(row):
            transaction.on_commit(lambda: _ring(row))
    if row.state == Conversion.State.REFUSED:
        raise InvalidError(row.error_message, code=row.error_code)
    if row.state == Conversion.State.FAILED:
        raise ConversionFailedError(
            f"the file could not be converted to {name}; it is tried again when you ask in "
            f"{FAILED_SECONDS // 60} minutes"
        )
    return row


def conversion_file(*, conversion: Conversion, part: str = "") -> ConvertedFile:
    """A file of a conversion that is done: the main one, or one beside it by what its name ends with.

    Raises:
        NotFoundError: it has no such file.
    """
    files = conversion.files.select_related("blob", "conversion")
    row = files.filter(suffix=f".{part.lstrip('.')}").first() if part else files.first()
    if row is None:
        known = ", ".join(file.suffix for file in files)
        raise NotFoundError(
            f"this form has no file {part!r}; it has {known}", code="conversion.part_not_found"
        )
    return row


def conversion_claim(*, conversion_id: str) -> ConversionClaim | None:
    """Take a conversion that waits or whose worker died; None when there is nothing to take."""
    free = Q(state=Conversion.State.WAITING) | Q(state=Conversion.State.WORKING, lease_until__lt=Now())
    taken = Conversion.objects.filter(free, pk=conversion_id, attempt__lt=MAX_ATTEMPTS).update(
        state=Conversion.State.WORKING,
        attempt=F("attempt") + 1,
        lease_token=F("lease_token") + 1,
        lease_until=Now() + timedelta(seconds=LEASE_SECONDS),
    )
    if not taken:
        return None
    row = Conversion.objects.get(pk=conversion_id)
    return ConversionClaim(str(row.pk), row.lease_token, str(row.artifact_id), row.format)


def conversion_complete(*, claim: ConversionClaim, result: ConversionResult) -> bool:
    """Store the files, then end the conversion in one transaction; False when another worker has it now.

    Raises:
        BlobStoreError, BlobCorruptError: the store is out of reach or changes bytes.
    """
    blobs = {
        suffix: blob_put(data=data, media_type=_MEDIA_TYPES.get(suffix, "application/octet-stream"))
        for suffix, data in result.files.items()
    }
    with transaction.atomic():
        ended = _mine(claim).update(
            state=Conversion.State.DONE,
            warnings=list(result.warnings),
            usage=result.usage,
            lease_until=None,
            finished_at=Now(),
        )
        if ended:
            ConvertedFile.objects.bulk_create(
                ConvertedFile(conversion_id=claim.conversion_id, suffix=suffix, blob=blob)
                for suffix, blob in blobs.items()
            )
    return bool(ended)


def conversion_refuse(*, claim: ConversionClaim, code: str, message: str) -> bool:
    """The engine cannot say this vector, for good; False when another worker has it now."""
    return bool(
        _mine(claim).update(
            state=Conversion.State.REFUSED,
            error_code=code,
            error_message=message[:1000],
            lease_until=None,
            finished_at=Now(),
        )
    )


def conversion_fail(*, claim: ConversionClaim) -> bool:
    """A fault of ours: it waits for another attempt while some are left; False when another worker has it
    now.
    """
    waits = _mine(claim).filter(attempt__lt=MAX_ATTEMPTS)
    if waits.update(state=Conversion.State.WAITING, lease_until=None, notified_at=timezone.now()):
        return True
    return bool(_mine(claim).update(state=Conversion.State.FAILED, lease_until=None, finished_at=Now()))


def conversions_sweep() -> int:
    """Ring again for what nobody works on, and give up what took its worker down each time."""
    lapsed = Q(state=Conversion.State.WORKING, lease_until__lt=Now())
    Conversion.objects.filter(lapsed, attempt__gte=MAX_ATTEMPTS).update(
        state=Conversion.State.FAILED, lease_until=None, finished_at=Now()
    )
    quiet = Q(notified_at__isnull=True) | Q(
        notified_at__lt=Now() - timedelta(seconds=settings.RUN_RING_SECONDS)
    )
    rung = 0
    for row in Conversion.objects.filter(quiet, lapsed | Q(state=Conversion.State.WAITING))[:BATCH]:
        if not _ring(row):
            break  # the broker is away; the next sweep tries again
        rung += 1
    return rung


def _mine(claim: ConversionClaim) -> QuerySet[Conversion]:
    return Conversion.objects.filter(
        pk=claim.conversion_id, lease_token=claim.lease_token, state=Conversion.State.WORKING
    )


def _may_try_again(row: Conversion) -> bool:
    """Let a conversion that failed a while ago wait anew."""
    if row.state != Conversion.State.FAILED:
        return False
    old = Q(finished_at__lt=Now() - timedelta(seconds=FAILED_SECONDS))
    again = Conversion.objects.filter(old, pk=row.pk, state=Conversion.State.FAILED)
    if not again.update(state=Conversion.State.WAITING, attempt=0, finished_at=None):
        return False
    row.state = Conversion.State.WAITING
    return True


def _ring(row: Conversion) -> bool:
    """Tell a worker; False when the broker is out of reach, in which case the sweeper rings again."""
    try:
        app.signature(CONVERT, args=[str(row.pk)]).apply_async(queue=QUEUE)
    except (OperationalError, RedisError, OSError) as error:
        logger.warning("broker out of reach", extra={"error": type(error).__name__})
        return False
    Conversion.objects.filter(pk=row.pk).update(notified_at=timezone.now())
    return True
