"""The one blob store of this installation, as the settings name it."""

from functools import cache
from pathlib import Path

from django.conf import settings

from registry.storage.blobs import BlobStore
from registry.storage.local import LocalBlobStore


@cache
def blob_store() -> BlobStore:
    """S3 when `S3_BUCKET` is set, else a folder."""
    if settings.S3 is not None:
        from registry.storage.s3 import S3BlobStore  # boto3 takes 0.3 s to import; a folder needs none of it

        return S3BlobStore(settings.S3)
    return LocalBlobStore(Path(settings.BLOB_STORE_PATH))
