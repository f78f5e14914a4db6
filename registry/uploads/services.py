"""Announce a file, take its parts in any order and as often as they come, assemble and verify it, abort.

A digest is no key to bytes: whoever announces a file that is stored already still has to send it, unless they
may read it anyway. Apps above say in `READERS` what somebody may read. `expiry` ends what is past its time.
"""

import base64
import hashlib
import logging
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from registry.accounts.models import User
from registry.audit.services import record
from registry.core.errors import ConflictError, InvalidError, NotFoundError, QuotaExceededError
from registry.core.state import transition
from registry.storage.blobs import BlobMissingError
from registry.storage.chosen import staging
from registry.storage.models import Blob
from registry.storage.services import blob_put
from registry.storage.staging import StagedPart
from registry.uploads.models import Upload
from registry.uploads.selectors import is_whole, upload_get
from registry.uploads.states import TRANSITIONS, Purpose, UploadState
from steering_core.errors import FormatError
from steering_core.spec import digest_hex

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/octet-stream"
# Each says whether a user may read the stored file with this sha256.
Reader = Callable[[Any, str], bool]
READERS: list[Reader] = []

_SHA256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?=,|$)")


@dataclass(frozen=True, slots=True)
class Announcement:
    """A file that somebody wants to send: its digest, `sha256:` before it or not, and its size."""

    sha256: str
    size_bytes: int
    purpose: str
    filename: str = ""


def upload_open(*, actor: User, file: Announcement, method: str = "") -> Upload:
    """Begin an upload; it is complete at once when the file is here and the actor may read it.

    Args:
        method: which way the parts take, where it is not for the settings to say. A browser can send them
            through the app alone: its page's policy lets it talk to nobody else.

    Raises:
        InvalidError: the digest is none, the size is none or too large, or the purpose is unknown.
        QuotaExceededError: too many uploads of the actor are open.
    """
    sha256 = _checked(file)
    blob = _readable(actor, sha256, file.size_bytes)
    method = method or settings.UPLOAD_METHOD
    with transaction.atomic():
        if blob is None:
            _check_quota(actor)
        upload = Upload.objects.create(
            owner=actor,
            sha256=sha256,
            size_bytes=file.size_bytes,
            filename=clean_filename(file.filename),
            purpose=file.purpose,
            method=method,
            part_bytes=settings.UPLOAD_PART_BYTES[method],
            state=UploadState.COMPLETE if blob else UploadState.PENDING,
            blob=blob,
            has_parts=blob is None,
            expires_at=timezone.now() + timedelta(seconds=settings.UPLOAD_SECONDS),
        )
        upload_record("upload.opened", upload, size_bytes=file.size_bytes, purpose=file.purpose)
    logger.info("upload opened", extra={"upload_id": upload.pk, "size_bytes": upload.size_bytes})
    return upload


def upload_part_put(
    *, actor: User, upload_id: str, number: int, data: bytes, content_digest: str
) -> StagedPart:
    """Take a part that came through the app; sending it again replaces it.

    Args:
        content_digest: RFC 9530, `sha-256=:…:` of the part.
    Raises:
        NotFoundError: there is no such upload of the actor, or it has no such part.
        ConflictError: it has ended.
        InvalidError: the part has another size or digest than it should.
        BlobStoreError: the store is out of reach.
    """
    upload = upload_get(viewer=actor, upload_id=upload_id)
    _check_open(upload)
    _check_part(upload, number, data, content_digest)
    staging().put(upload_id, number, data)
    # It may have ended, and been cleared, while the part was written.
    upload.refresh_from_db(fields=["state", "expires_at"])
    if not upload.is_open:
        staging().clear(upload_id)
    _check_open(upload)
    return StagedPart(number, len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")


def upload_complete(*, actor: User, upload_id: str) -> Upload:
    """Put the parts together, verify the whole, and store it by its digest. Completing twice is no error.
    After a wrong digest the upload stays open, so that the parts that differ can be sent again.

    Raises:
        NotFoundError: there is no such upload of the actor.
        ConflictError: it was aborted or has expired, or parts are missing.
        InvalidError: the parts give another file than was announced.
        BlobStoreError, BlobCorruptError: the store is out of reach or changes bytes.
    """
    upload = upload_get(viewer=actor, upload_id=upload_id)
    if upload.state == UploadState.COMPLETE:
        return upload
    _check_open(upload)
    try:
        data = _assembled(upload)
    except BlobMissingError:
        # Another request with the same aim may have been faster, and cleared the parts.
        upload.refresh_from_db()
        if upload.state == UploadState.COMPLETE:
            return upload
        raise
    blob = blob_put(data=data, media_type=MEDIA_TYPE)
    with transaction.atomic():
        upload = Upload.objects.select_for_update(of=("self",)).select_related("owner").get(pk=upload.pk)
        if upload.state != UploadState.COMPLETE:
            _check_open(upload)
            transition(upload, to=UploadState.COMPLETE, allowed=TRANSITIONS, blob=blob)
            upload_record("upload.completed", upload, digest=upload.digest)
    staging().clear(upload_id)
    return upload


def upload_abort(*, actor: User, upload_id: str) -> None:
    """Give an upload up; aborting twice is no error.

    Raises:
        NotFoundError: there is no such upload of the actor.
        ConflictError: it is complete.
    """
    upload = upload_get(viewer=actor, upload_id=upload_id)
    if upload.state == UploadState.COMPLETE:
        raise ConflictError(
            "this upload is complete and cannot be aborted; it is forgotten by itself when nothing uses it",
            code="upload.ended",
        )
    if upload.state == UploadState.PENDING:
        with transaction.atomic():
            transition(upload, to=UploadState.ABORTED, allowed=TRANSITIONS)
            upload_record("upload.aborted", upload)
    staging().clear(upload_id)


def upload_record(action: str, upload: Upload, **data: Any) -> None:
    """Log it in the namespace of the upload's owner."""
    record(action, subject=upload.pk, namespace=upload.owner.get_username(), actor=upload.owner, **data)


def clean_filename(filename: str) -> str:
    """The last part of a path, without control characters, at most 255 characters: for display only."""
    last = re.split(r"[/\\]", filename)[-1]
    return "".join(c for c in last if unicodedata.category(c)[0] != "C")[:255]


def _checked(file: Announcement) -> str:
    """The sha256 in hex of an announcement that can be meant."""
    try:
        sha256 = digest_hex(file.sha256 if ":" in file.sha256 else f"sha256:{file.sha256}")
    except FormatError as error:
        raise InvalidError(error.message, code="upload.digest", fields={"sha256": "no digest"}) from error
    if not 1 <= file.size_bytes <= settings.UPLOAD_MAX_BYTES:
        raise InvalidError(
            f"{file.size_bytes:,} bytes are announced; expected 1 to {settings.UPLOAD_MAX_BYTES:,}",
            code="upload.size",
            fields={"size_bytes": "out of range"},
        )
    if file.purpose not in Purpose.values:
        raise InvalidError(
            f"purpose {file.purpose!r} is not known; choose one of {', '.join(Purpose.values)}",
            code="upload.purpose",
            fields={"purpose": "unknown"},
        )
    return sha256


def _readable(actor: User, sha256: str, size_bytes: int) -> Blob | None:
    """The stored file, if the actor may read it: then telling them that it is here tells them nothing."""
    blob = Blob.objects.filter(pk=sha256, size_bytes=size_bytes, state=Blob.State.STORED).first()
    if blob is None:
        return None
    own = Upload.objects.filter(owner=actor, blob=blob).exists()
    return blob if own or any(reads(actor, sha256) for reads in READERS) else None


def _check_quota(actor: User) -> None:
    """Count under the actor's lock, so that parallel requests cannot slip past the limit together."""
    User.objects.select_for_update().get(pk=actor.pk)
    limit = settings.UPLOAD_MAX_OPEN
    pending = Upload.objects.filter(owner=actor, state=UploadState.PENDING, expires_at__gt=timezone.now())
    if pending.count() >= limit:
        raise QuotaExceededError(
            f"{limit} of your uploads are open; complete or abort one (GET /uploads lists them)",
            code="upload.quota",
        )


def _check_open(upload: Upload) -> None:
    if not upload.is_open:
        raise ConflictError(f"this upload is {upload.state_now}; begin a new one", code="upload.ended")


def _check_part(upload: Upload, number: int, data: bytes, content_digest: str) -> None:
    if not 1 <= number <= upload.n_parts:
        raise NotFoundError(
            f"this upload has the parts 1 to {upload.n_parts}, no part {number}", code="upload.part_not_found"
        )
    if len(data) != upload.part_size(number):
        raise InvalidError(
            f"part {number} has {len(data):,} bytes; expected {upload.part_size(number):,}",
            code="upload.part_size",
        )
    named = _SHA256.search(content_digest)
    if named is None:
        raise InvalidError(
            "send Content-Digest: sha-256=:…: with the base64 of the part's sha256, so that a part that was "
            "damaged on its way is told apart",
            code="upload.part_digest",
        )
    if base64.b64decode(named[1]) != hashlib.sha256(data).digest():
        raise InvalidError(
            f"part {number} does not have the digest in Content-Digest; send it again",
            code="upload.part_digest",
        )


def _assembled(upload: Upload) -> bytes:
    """The whole file, read back from the staging and verified."""
    store, upload_id = staging(), str(upload.pk)
    there = {n for n, part in store.parts(upload_id).items() if is_whole(upload, part)}
    if missing := [n for n in range(1, upload.n_parts + 1) if n not in there]:
        upload.refresh_from_db(fields=["state"])
        if upload.state == UploadState.COMPLETE:
            raise BlobMissingError("the parts were cleared")
        shown = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        raise ConflictError(
            f"{len(missing)} of {upload.n_parts} parts are missing or of the wrong size: {shown}; send them, "
            "then complete again",
            code="upload.parts_missing",
        )
    data = b"".join(store.read(upload_id, number) for number in range(1, upload.n_parts + 1))
    found = hashlib.sha256(data).hexdigest()
    if found != upload.sha256:
        raise InvalidError(
            f"the parts give sha256:{found}, not {upload.digest} as announced; compare the digests of the "
            "parts, send again those that differ, then complete again",
            code="upload.digest_mismatch",
        )
    return data
