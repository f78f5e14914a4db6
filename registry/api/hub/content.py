"""The files of a version, as that client lists and fetches them.

What a worker stored is a blob, named by its sha256 as large files are there; card, manifest and report are
written from the row, named by the git object id that small files have there.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.api.hub.card import card_text
from registry.catalog.models import VectorVersion
from registry.core.errors import NotFoundError
from registry.storage.models import Blob
from steering_core.spec import canonical_json

VECTOR_FILE = "vector.safetensors"
# What git-lfs would keep in place of a large file.
_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a version: exactly one of `blob` and `data` is set."""

    name: str
    media_type: str
    blob: Blob | None = None
    data: bytes = b""

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return self.blob.size_bytes if self.blob else len(self.data)

    @property
    def pointer(self) -> bytes:
        """What a repository would hold: the bytes, or a pointer to them."""
        if self.blob is None:
            return self.data
        return _POINTER.format(sha256=self.blob.sha256, size=self.blob.size_bytes).encode()

    @property
    def oid(self) -> str:
        """The id of the object in a git repository."""
        data = self.pointer
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    @property
    def etag(self) -> str:
        """What the client names its copy by."""
        return self.blob.sha256 if self.blob else self.oid

    def entry(self) -> dict[str, Any]:
        """The file in a listing."""
        entry = {"type": "file", "path": self.name, "size": self.size_bytes, "oid": self.oid}
        return {**entry, **self.lfs("oid")}

    def sibling(self, *, is_detailed: bool) -> dict[str, Any]:
        """The file in what is said of a repository."""
        if not is_detailed:
            return {"rfilename": self.name}
        entry = {"rfilename": self.name, "size": self.size_bytes, "blobId": self.oid}
        return {**entry, **self.lfs("sha256")}

    def lfs(self, key: str) -> dict[str, Any]:
        """What is said of large files; `key` names the sha256, which is not called alike everywhere."""
        if self.blob is None:
            return {}
        size = {"size": self.size_bytes, "pointerSize": len(self.pointer)}
        return {"lfs": {key: self.blob.sha256, **size}}


def _card(row: VectorVersion) -> HubFile:
    return HubFile("README.md", "text/markdown; charset=utf-8", data=card_text(row).encode())


def _manifest(row: VectorVersion) -> HubFile:
    return HubFile("bearing.json", "application/json", data=canonical_json(row.manifest))


def _report(row: VectorVersion) -> HubFile:
    return HubFile("report.json", "application/json", data=canonical_json(row.report))


def _vector(row: VectorVersion) -> HubFile | None:
    return HubFile(VECTOR_FILE, row.artifact.media_type, row.artifact) if row.artifact else None


def _conformance(row: VectorVersion) -> HubFile | None:
    blob = row.conformance
    return HubFile("conformance.json", blob.media_type, blob) if blob else None


FILES: Mapping[str, Callable[[VectorVersion], HubFile | None]] = {
    "README.md": _card,
    "bearing.json": _manifest,
    "conformance.json": _conformance,
    "report.json": _report,
    VECTOR_FILE: _vector,
}


def files_of(row: VectorVersion) -> list[HubFile]:
    """Every file of a version, by name."""
    return [file for make in FILES.values() if (file := make(row))]


def file_of(row: VectorVersion, name: str) -> HubFile:
    """One file of a version.

    Raises:
        NotFoundError: it has none of this name.
    """
    file = FILES[name](row) if name in FILES else None
    if file is None:
        known = ", ".join(file.name for file in files_of(row))
        raise NotFoundError(f"{row} has no file {name[:80]!r}; it has {known}", code="hub.entry_not_found")
    return file
