"""End uploads that nobody finished, delete their parts, and forget those that were used or not: the sweeper's
part.
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from registry.storage.chosen import staging
from registry.uploads.models import Upload
from registry.uploads.services import upload_record
from registry.uploads.states import UploadState

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 60
BATCH = 100
# How long a complete upload can be used, and the others be looked at, past their time.
KEPT = timedelta(days=7)


def uploads_expire() -> int:
    """Do what is due, for a hundred uploads at most, and say for how many.

    By then no address works that could bring another part, so what is cleared stays clear.
    """
    now = timezone.now()
    late = Upload.objects.filter(has_parts=True, expires_at__lt=now).order_by("expires_at")[:BATCH]
    done = 0
    for upload in late.select_related("owner"):
        _expire(upload)
        staging().clear(str(upload.pk))
        Upload.objects.filter(pk=upload.pk).update(has_parts=False)
        done += 1
    old = Upload.objects.filter(has_parts=False, expires_at__lt=now - KEPT).exclude(state=UploadState.PENDING)
    old.delete()
    return done


def _expire(upload: Upload) -> None:
    """Another sweeper may be at it, or its owner: one of them logs it."""
    with transaction.atomic():
        pending = Upload.objects.filter(pk=upload.pk, state=UploadState.PENDING)
        if pending.update(state=UploadState.EXPIRED):
            upload_record("upload.expired", upload)
            logger.info("upload expired", extra={"upload_id": upload.pk})
