"""Blobs in a folder: for one machine. A temporary file, fsync, then a hard link that fails if the name
exists.
"""

import contextlib
import os
import uuid
from pathlib import Path

from registry.storage.blobs import BlobMissingError, BlobStoreError, Shown, blob_key


class LocalBlobStore:
    """A `BlobStore` in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, sha256: str, data: bytes, media_type: str) -> bool:
        path = self.root / blob_key(sha256)
        temporary = path.with_name(f".{uuid.uuid4().hex}.incomplete")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            _sync_folder(path.parent)
            return True
        except OSError as error:
            raise BlobStoreError(f"the blob folder refused a write: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def get(self, sha256: str) -> bytes:
        try:
            return (self.root / blob_key(sha256)).read_bytes()
        except FileNotFoundError as error:
            raise BlobMissingError(f"blob {sha256} is not in the store") from error
        except OSError as error:
            raise BlobStoreError(f"the blob folder refused a read: {error.strerror}") from error

    def exists(self, sha256: str) -> bool:
        return (self.root / blob_key(sha256)).is_file()

    def link(self, sha256: str, shown: Shown, *, seconds: int) -> str | None:
        return None

    def inner_path(self, sha256: str, shown: Shown, *, seconds: int) -> str:
        return f"/_blobs/{blob_key(sha256)}"


def _sync_folder(folder: Path) -> None:
    """A new name survives a power cut only when its folder is synced too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
