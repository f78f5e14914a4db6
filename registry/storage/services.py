"""Store and read bytes by digest, never trusting the store: what is written is read back and compared.

Order (docs/adr): pending row, put, read back, stored row. A crash leaves a pending row or an unreferenced
blob, never a row that points at nothing.
"""

import hashlib
import logging
import time

from registry.storage.blobs import BlobCorruptError, BlobMissingError
from registry.storage.chosen import blob_store
from registry.storage.models import Blob

logger = logging.getLogger(__name__)


def blob_put(*, data: bytes, media_type: str) -> Blob:
    """Store bytes once under their sha256 and return the row; storing the same bytes again is cheap.

    Not to be called inside a transaction: it talks to the store.

    Raises:
        BlobStoreError: the store is out of reach.
        BlobCorruptError: what came back is not what was sent.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    blob, _ = Blob.objects.get_or_create(
        sha256=sha256, defaults={"size_bytes": len(data), "media_type": media_type}
    )
    if blob.state == Blob.State.STORED and blob_store().exists(sha256):
        return blob
    blob_store().put(sha256, data, media_type)
    if _read_back(sha256) != data:
        raise BlobCorruptError(f"blob {sha256} came back changed after it was written")
    Blob.objects.filter(pk=sha256).update(state=Blob.State.STORED)
    blob.state = Blob.State.STORED
    logger.info("blob stored", extra={"sha256": sha256, "size_bytes": len(data)})
    return blob


def blob_read(*, sha256: str) -> bytes:
    """The bytes of a blob, verified.

    Raises:
        BlobMissingError: not in the store.
        BlobCorruptError: the stored bytes do not have this digest.
        BlobStoreError: the store is out of reach.
    """
    data = blob_store().get(sha256)
    if hashlib.sha256(data).hexdigest() != sha256:
        logger.error("blob corrupt", extra={"sha256": sha256})
        raise BlobCorruptError(f"blob {sha256} is damaged in the store")
    return data


def _read_back(sha256: str) -> bytes:
    """Read what was just written; another writer of the same bytes may need a moment to finish."""
    for pause_seconds in (0.05, 0.2, 0.5):
        try:
            return blob_store().get(sha256)
        except BlobMissingError:
            time.sleep(pause_seconds)
    return blob_store().get(sha256)
