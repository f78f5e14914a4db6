"""The one blob store of this installation, and its staging, as the settings name them."""

from functools import cache
from pathlib import Path

from django.conf import settings

from registry.storage.blobs import BlobStore
from registry.storage.local import LocalBlobStore
from registry.storage.staging import LocalStaging, Staging


@cache
def blob_store() -> BlobStore:
    """S3 when `S3_BUCKET` is set, else a folder."""
    if settings.S3 is not None:
        from registry.storage.s3 import S3BlobStore  # boto3 takes 0.3 s to import; a folder needs none of it

        return S3BlobStore(settings.S3)
    return LocalBlobStore(Path(settings.BLOB_STORE_PATH))


@cache
def staging() -> Staging:
    """Beside the blobs: in the bucket, else in the folder."""
    if settings.S3 is not None:
        from registry.storage.s3 import S3BlobStore
        from registry.storage.s3_staging import S3Staging

        return S3Staging(S3BlobStore(settings.S3))
    return LocalStaging(Path(settings.BLOB_STORE_PATH))
