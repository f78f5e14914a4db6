"""Read uploads. They are their owner's alone."""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from registry.accounts.models import User
from registry.core.errors import ConflictError, InvalidError, NotFoundError
from registry.core.naming import row_id
from registry.storage.chosen import staging
from registry.storage.staging import StagedPart
from registry.uploads.models import Upload
from registry.uploads.states import Method, UploadState


@dataclass(frozen=True, slots=True)
class PartNow:
    """A part of an open upload.

    Attributes:
        link: where to send it, for `Method.S3`; through the app it is empty.
        digest: of a part that arrived, as `StagedPart` says it.
    """

    number: int
    size_bytes: int
    link: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """What of an upload arrived with the right size, and what did not."""

    received: list[PartNow]
    missing: list[PartNow]


def upload_list(*, viewer: User) -> QuerySet[Upload]:
    """The viewer's uploads, newest first."""
    return Upload.objects.filter(owner=viewer)


def open_list(*, viewer: User, purpose: str) -> list[Upload]:
    """The viewer's uploads that still wait for parts, newest first."""
    rows = upload_list(viewer=viewer).filter(purpose=purpose, state=UploadState.PENDING)
    return list(rows.filter(expires_at__gt=timezone.now()))


def upload_get(*, viewer: User, upload_id: str) -> Upload:
    """One of the viewer's uploads.

    Raises:
        NotFoundError: unknown, or another user's.
    """
    row = Upload.objects.select_related("blob", "owner").filter(owner=viewer, pk=row_id(upload_id)).first()
    if row is None:
        raise NotFoundError(
            "there is no such upload of yours; uploads are kept for a week", code="upload.not_found"
        )
    return row


def upload_blob(*, viewer: User, upload_id: str, purpose: str) -> Upload:
    """A complete upload, whose `blob` is to be used.

    Raises:
        NotFoundError: unknown, or another user's.
        ConflictError: it is not complete.
        InvalidError: it was announced for something else.
    """
    row = upload_get(viewer=viewer, upload_id=upload_id)
    if row.state != UploadState.COMPLETE:
        raise ConflictError(
            f"this upload is {row.state_now}; send its parts and POST /uploads/{row.pk}/complete first",
            code="upload.not_complete",
        )
    if row.purpose != purpose:
        raise InvalidError(
            f"this upload was announced as a {row.purpose}, not as a {purpose}; upload it again as one",
            code="upload.other_purpose",
        )
    return row


def upload_progress(*, upload: Upload) -> Progress:
    """Which parts of an open upload are there, and where to send each, with fresh addresses.

    Raises:
        BlobStoreError: the store is out of reach.
    """
    if not upload.is_open:
        return Progress([], [])
    upload_id, store = str(upload.pk), staging()
    there = {n: part for n, part in store.parts(upload_id).items() if is_whole(upload, part)}
    # No address outlives the upload, so that what is cleared stays clear.
    left = int((upload.expires_at - timezone.now()).total_seconds())
    seconds = max(1, min(settings.UPLOAD_LINK_SECONDS, left))

    def link(number: int) -> str:
        if upload.method != Method.S3:
            return ""
        return store.link(upload_id, number, upload.part_size(number), seconds=seconds) or ""

    received: list[PartNow] = []
    missing: list[PartNow] = []
    for number in range(1, upload.n_parts + 1):
        here = there.get(number)
        part = PartNow(number, upload.part_size(number), link(number), here.digest if here else "")
        (received if here else missing).append(part)
    return Progress(received, missing)


def received_bytes(*, upload: Upload) -> int:
    """How much of an open upload arrived.

    Raises:
        BlobStoreError: the store is out of reach.
    """
    parts = staging().parts(str(upload.pk)).values()
    return sum(part.size_bytes for part in parts if is_whole(upload, part))


def is_whole(upload: Upload, part: StagedPart) -> bool:
    """Whether a part is one of the upload's, and of the right size."""
    return 1 <= part.number <= upload.n_parts and part.size_bytes == upload.part_size(part.number)
