"""A file that came in one request, such as from a form: announced, sent and completed as any other."""

import base64
import hashlib

from registry.accounts.models import User
from registry.uploads.models import Upload
from registry.uploads.services import Announcement, upload_complete, upload_open, upload_part_put
from registry.uploads.states import UploadState


def upload_whole(*, actor: User, data: bytes, purpose: str, filename: str = "") -> Upload:
    """A complete upload of these bytes.

    Raises:
        InvalidError: the file is empty or too large.
        QuotaExceededError: too many uploads of the actor are open.
        BlobStoreError: the store is out of reach.
    """
    announced = Announcement(hashlib.sha256(data).hexdigest(), len(data), purpose, filename)
    upload = upload_open(actor=actor, file=announced)
    if upload.state == UploadState.COMPLETE:
        return upload
    size = upload.part_bytes
    for number in range(1, upload.n_parts + 1):
        part = data[(number - 1) * size : number * size]
        digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
        upload_part_put(
            actor=actor,
            upload_id=str(upload.pk),
            number=number,
            data=part,
            content_digest=f"sha-256=:{digest}:",
        )
    return upload_complete(actor=actor, upload_id=str(upload.pk))
