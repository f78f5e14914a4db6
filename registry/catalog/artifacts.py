"""The steering vectors in stored files. Who may read which is for the caller to ask first."""

from functools import lru_cache

from registry.storage.services import blob_read
from steering_core.formats.bearing import read_vector
from steering_core.vector import SteeringVector


def stored_vector(sha256: str) -> SteeringVector:
    """The vector of a file in the native format.

    Raises:
        BlobMissingError, BlobCorruptError, BlobStoreError, FormatError: the file cannot be read.
    """
    return read_vector(blob_read(sha256=sha256))


@lru_cache(maxsize=64)
def kept_vector(sha256: str) -> SteeringVector:
    """As `stored_vector`, for those who ask often: kept in the process, since files never change."""
    return stored_vector(sha256)
