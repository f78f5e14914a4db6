"""The blob store contract. `local` keeps a folder, `s3` a bucket; both write once; `chosen` picks one."""

import re
from dataclasses import dataclass
from typing import Protocol

from registry.core.errors import RegistryError, UnavailableError


class BlobMissingError(RegistryError):
    """A blob that a row points at is not in the store: damage, not a user's mistake."""

    default_code = "blob.missing"


class BlobCorruptError(RegistryError):
    """Stored bytes do not have the digest in their name: damage, not a user's mistake."""

    default_code = "blob.corrupt"


class BlobStoreError(UnavailableError):
    """The store cannot be reached or refused the request."""

    default_code = "blob.store_unavailable"


@dataclass(frozen=True, slots=True)
class Shown:
    """What an answer with a blob's bytes says beside them: header values."""

    media_type: str
    disposition: str
    caching: str = "private, no-store"


class BlobStore(Protocol):
    """Bytes under their sha256. Nothing is ever overwritten.

    `put` returns True when it wrote and False when the name was taken already; `get` raises BlobMissingError;
    every method raises BlobStoreError when the store is out of reach.
    """

    def put(self, sha256: str, data: bytes, media_type: str) -> bool: ...

    def get(self, sha256: str) -> bytes: ...

    def exists(self, sha256: str) -> bool: ...

    def link(self, sha256: str, shown: Shown, *, seconds: int) -> str | None:
        """An address that gives anybody the bytes for so long, made without asking the store; None if there
        is none.
        """
        ...

    def inner_path(self, sha256: str, shown: Shown, *, seconds: int) -> str:
        """Where the proxy in front of the service finds the bytes: a path that only it can follow."""
        ...


def blob_key(sha256: str) -> str:
    """`blobs/sha256/ab/cd/<64 hex>`: the same layout in a folder and in a bucket.

    Raises:
        ValueError: not 64 lower-case hex digits, so no name can leave the folder.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{sha256!r} is not a sha256")
    return f"blobs/sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"
