"""What was pulled: files by digest, and which digest a reference meant. Safe for many processes at once.

    blobs/sha256/<64 hex>                             a file by its digest, checked at every reading
    refs/<registry>/<owner>/<name>/<selector>.json    {"digest", "version", "fetched_at", "conformance",
                                                      "warnings"}
    presets/<registry>/…                              the same of presets

Every write goes to a file of its own that is verified, then renamed: a reader sees all of it or none, and
whoever is killed leaves only a hidden `.part`, which a later writer sweeps. No locks: they fail on network
file systems, and two writers of one digest write the same bytes.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from steering_core.client.incoming import Incoming
from steering_core.client.references import Reference, parse_any
from steering_core.errors import ClientError, FormatError
from steering_core.spec import digest, digest_hex

LEFTOVER_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class CachedRef:
    """What a reference stood for when it was last asked; `fetched_at` is ISO 8601 in UTC.

    `conformance` is the digest of the version's certificate, empty for none; `warnings` are the registry's
    words about the version, such as that it is yanked.
    """

    digest: str
    version: str
    fetched_at: str = ""
    conformance: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file that is kept; without a digest it is what a killed download left."""

    digest: str
    size_bytes: int
    path: Path


class Cache:
    """The folder BEARING_HOME as one registry's client sees it; files are shared, references are not."""

    def __init__(self, home: Path, endpoint: str) -> None:
        self._blobs = home / "blobs" / "sha256"
        self._refs = {
            "vector": home / "refs" / _folder_name(endpoint),
            "preset": home / "presets" / _folder_name(endpoint),
        }

    def path(self, named: str) -> Path:
        """Where the file with this digest is or would be.

        Raises:
            FormatError: no digest.
        """
        return self._blobs / digest_hex(named)

    def read(self, named: str) -> bytes | None:
        """The file with this digest; a damaged one counts as missing, and is replaced by the next download.

        It is not deleted here: another process may have replaced it meanwhile.

        Raises:
            ClientError: the file is there but cannot be read.
        """
        file = self.path(named)
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(file, error) from error
        return data if digest(data) == named else None

    def has(self, named: str) -> bool:
        """Whether there is a file with this digest; its bytes are checked when it is read."""
        return bool(named) and self.path(named).is_file()

    def write(self, named: str, chunks: Iterable[bytes], *, most_bytes: int) -> Path:
        """Keep a file whose bytes arrive in chunks, if they are what the digest promises.

        Raises:
            DigestMismatchError: other bytes came, or more than `most_bytes`; nothing is kept.
            ClientError: the folder cannot be written to.
        """
        with self.incoming(named, most_bytes=most_bytes) as into:
            for chunk in chunks:
                into.write(chunk)
        return self.path(named)

    @contextmanager
    def incoming(self, named: str, *, most_bytes: int) -> Iterator[Incoming]:
        """What the bytes of a file are written to; in the end they are kept if the digest is theirs.

        Raises:
            DigestMismatchError: other bytes came, or more than `most_bytes`; nothing is kept.
            ClientError: the folder cannot be written to.
        """
        with _replacing(self.path(named)) as stream:
            into = Incoming(stream, named, most_bytes)
            yield into
            into.check()

    def remove(self, named: str) -> None:
        """Forget the file with this digest, if it is there."""
        self.path(named).unlink(missing_ok=True)

    def files(self) -> list[CachedFile]:
        """Every file that is kept, by digest; not what is on its way."""
        found = sorted(self._blobs.glob("*")) if self._blobs.is_dir() else []
        return [
            CachedFile(f"sha256:{file.name}", file.stat().st_size, file)
            for file in found
            if re.fullmatch("[0-9a-f]{64}", file.name)
        ]

    def names(self) -> dict[str, list[str]]:
        """Which references lead to a file, of all registries, by the file's digest."""
        found: dict[str, list[str]] = {}
        for note in sorted(file for folder in self._notes() for file in folder.rglob("*.json")):
            owner, name, selector = note.parts[-3:]
            kind = "preset:" if note.parts[-5] == "presets" else ""
            try:
                noted = json.loads(note.read_bytes())
                leads_to = [noted["digest"], noted.get("conformance") or ""]
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                continue
            for named in filter(None, leads_to):
                selector = selector.removesuffix(".json").replace("sha256-", "sha256:")
                found.setdefault(named, []).append(f"{kind}{owner}/{name}@{selector}")
        return found

    def prune(self, *, everything: bool) -> list[CachedFile]:
        """Remove parts of a day ago and files that no reference leads to, or all files and references.

        Raises:
            ClientError: the folder cannot be written to.
        """
        kept = {} if everything else self.names()
        gone = [file for file in self.files() if file.digest not in kept]
        parts = self._blobs.glob(".*.part") if self._blobs.is_dir() else ()
        gone += [CachedFile("", file.stat().st_size, file) for file in parts if _is_leftover(file)]
        try:
            for file in gone:
                file.path.unlink(missing_ok=True)
            for folder in self._notes() if everything else ():
                shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise _unusable(self._blobs, error) from error
        return gone

    def _notes(self) -> list[Path]:
        return [folder.parent for folder in self._refs.values()]

    def read_ref(self, reference: Reference) -> CachedRef | None:
        """What the reference stood for; None when it was never asked or the note is damaged."""
        try:
            noted = json.loads(self.ref_path(reference).read_bytes())
            found = CachedRef(**noted | {"warnings": tuple(map(str, noted.get("warnings", ())))})
            digest_hex(found.digest)
            if found.conformance:
                digest_hex(found.conformance)
        except (OSError, ValueError, TypeError, AttributeError, FormatError):
            return None
        return found

    def write_ref(self, reference: Reference, found: CachedRef) -> None:
        """Note what the reference stands for now.

        Raises:
            ClientError: the folder cannot be written to.
        """
        noted = asdict(found) | {"fetched_at": datetime.now(UTC).isoformat(timespec="seconds")}
        with _replacing(self.ref_path(reference)) as stream:
            stream.write(json.dumps(noted, sort_keys=True).encode() + b"\n")

    def ref_path(self, reference: Reference) -> Path:
        """Where the note about a reference is; only what the grammar lets through becomes a path.

        Raises:
            ReferenceSyntaxError: it was put together from other parts than the grammar's.
        """
        selector = reference.selector.replace(":", "-")
        parse_any(str(reference))
        return self._refs[reference.kind] / reference.owner / reference.name / f"{selector}.json"


@contextmanager
def _replacing(file: Path) -> Iterator[BinaryIO]:
    """A stream to write to; in the end all of it is at `file`, or after an exception nothing."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _sweep(file.parent)
        try:
            with temporary.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(file)
            _sync_folder(file.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(file, error) from error


def _sweep(folder: Path) -> None:
    """Remove what writers that were killed left behind."""
    for leftover in folder.glob(".*.part"):
        try:
            if _is_leftover(leftover):
                leftover.unlink()
        except FileNotFoundError:
            continue


def _is_leftover(part: Path) -> bool:
    return time.time() - part.stat().st_mtime > LEFTOVER_SECONDS


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _folder_name(endpoint: str) -> str:
    """Readable, and different for different endpoints."""
    readable = re.sub(r"[^a-z0-9.-]+", "_", endpoint.lower())[:60].strip("._")
    return f"{readable}-{hashlib.sha256(endpoint.encode()).hexdigest()[:8]}"


def _unusable(file: Path, error: OSError) -> ClientError:
    return ClientError(
        f"{file} cannot be used: {error.strerror or error}; set BEARING_HOME to a folder of your own",
        code="client.cache",
    )
