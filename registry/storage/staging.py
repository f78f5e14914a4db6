"""Parts of files that are still on their way: overwritten and deleted freely, unlike blobs. A `Staging` is a
folder (here) or a bucket (`s3_staging`); `chosen` picks one. What is whole and verified becomes a blob.
"""

import contextlib
import hashlib
import os
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from registry.storage.blobs import BlobMissingError, BlobStoreError

PREFIX = "staging/"


@dataclass(frozen=True, slots=True)
class StagedPart:
    """A part that arrived. `digest` is `sha256:…`, or `md5:…` where that is what the store says, or empty."""

    number: int
    size_bytes: int
    digest: str


class Staging(Protocol):
    """Numbered parts of uploads. A part that is sent again replaces the one before, whole or not at all.

    Every method but `link` raises BlobStoreError when the store is out of reach.
    """

    def put(self, upload_id: str, number: int, data: bytes) -> None: ...

    def parts(self, upload_id: str) -> dict[int, StagedPart]: ...

    def read(self, upload_id: str, number: int) -> bytes:
        """Raises BlobMissingError when the part is not there."""
        ...

    def clear(self, upload_id: str) -> None:
        """Delete all parts; deleting twice is no error."""
        ...

    def link(self, upload_id: str, number: int, size_bytes: int, *, seconds: int) -> str | None:
        """An address to which anybody may PUT this part, with just this size, for so long; made without
        asking the store; None if there is none.
        """
        ...


def part_key(upload_id: str, number: int) -> str:
    """`staging/<upload>/<number>`.

    Raises:
        ValueError: not the id of a row, so no name can leave the folder.
    """
    if not re.fullmatch(r"[0-9a-f-]{36}", upload_id):
        raise ValueError(f"{upload_id!r} is not the id of an upload")
    return f"{PREFIX}{upload_id}/{number}"


class LocalStaging:
    """A `Staging` in a folder: a temporary file, fsync, then a rename over what was there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, upload_id: str, number: int, data: bytes) -> None:
        path = self.root / part_key(upload_id, number)
        temporary = path.with_name(f".{uuid.uuid4().hex}.incomplete")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise BlobStoreError(f"the staging folder refused a write: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def parts(self, upload_id: str) -> dict[int, StagedPart]:
        folder = (self.root / part_key(upload_id, 0)).parent
        try:
            numbers = sorted(int(name) for name in os.listdir(folder) if name.isdigit())
        except FileNotFoundError:
            return {}
        found = {}
        for number in numbers:
            with contextlib.suppress(BlobMissingError):  # deleted just now
                data = self.read(upload_id, number)
                found[number] = StagedPart(number, len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
        return found

    def read(self, upload_id: str, number: int) -> bytes:
        try:
            return (self.root / part_key(upload_id, number)).read_bytes()
        except FileNotFoundError as error:
            raise BlobMissingError(f"part {number} of upload {upload_id} is not there") from error
        except OSError as error:
            raise BlobStoreError(f"the staging folder refused a read: {error.strerror}") from error

    def clear(self, upload_id: str) -> None:
        folder = (self.root / part_key(upload_id, 0)).parent
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise BlobStoreError(f"the staging folder refused a deletion: {error.strerror}") from error

    def link(self, upload_id: str, number: int, size_bytes: int, *, seconds: int) -> str | None:
        return None
