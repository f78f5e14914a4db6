"""`bearing.lock`: which files references meant when they were locked, by digest. `locking` pulls them."""

from dataclasses import asdict, dataclass
from typing import Any

from steering_core.client.references import (
    Reference,
    ReferenceSyntaxError,
    parse_any,
    parse_name,
    parse_version,
)
from steering_core.client.resolved import ResolvedFile
from steering_core.errors import FormatError, LockError
from steering_core.spec import canonical_json, digest_hex, parse_json

LOCK_VERSION = 1
LOCK_FILE = "bearing.lock"
MAX_LOCK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LockEntry:
    """What one reference meant.

    Attributes:
        reference: as it was asked, or for a member of a preset as the preset names it.
        kind: `vector` or `preset`.
        name: `owner/name`.
        digest: of the main file.
    """

    reference: str
    kind: str
    name: str
    version: str
    digest: str
    model_hash: str
    files: tuple[ResolvedFile, ...]

    @property
    def exact(self) -> Reference:
        """The version, by its number."""
        owner, name = parse_name(self.name)
        return Reference(owner, name, self.version, "preset" if self.kind == "preset" else "vector")

    @property
    def pinned(self) -> Reference:
        """The version, by its digest."""
        return self.exact.at(self.digest)


@dataclass(frozen=True, slots=True)
class Lock:
    """What references meant, at one registry."""

    endpoint: str
    entries: tuple[LockEntry, ...]


def write_lock(lock: Lock) -> bytes:
    """The canonical JSON of a lock."""
    fields = {"lock_version": LOCK_VERSION, "endpoint": lock.endpoint}
    return canonical_json(fields | {"entries": [asdict(entry) for entry in lock.entries]})


def read_lock(data: bytes) -> Lock:
    """The lock in a file.

    Raises:
        LockError: `lock.invalid`: it is none; `lock.version`: of a form that is not read here.
    """
    try:
        fields = parse_json(data.decode("utf-8"))
        if isinstance(fields, dict) and fields.get("lock_version") != LOCK_VERSION:
            raise LockError(
                f"lock_version is {str(fields.get('lock_version'))[:16]!a}; version {LOCK_VERSION} is read "
                "here. If the lock is newer, update this program",
                code="lock.version",
            )
        found = _object(fields, {"lock_version", "endpoint", "entries"})
        return Lock(str(found["endpoint"]), tuple(_entry(one) for one in found["entries"]))
    except (FormatError, ReferenceSyntaxError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        why = error.message if isinstance(error, FormatError | ReferenceSyntaxError) else str(error)
        raise LockError(f"no lock, or a damaged one: {why}; make it again with bearing lock") from error


def _entry(fields: Any) -> LockEntry:
    found = _object(fields, {"reference", "kind", "name", "version", "digest", "model_hash", "files"})
    if found["kind"] not in ("vector", "preset"):
        raise ValueError(f"the kind {str(found['kind'])[:20]!a} is neither vector nor preset")
    parse_name(found["name"])
    parse_version(found["version"])
    digest_hex(found["digest"])
    digest_hex(found["model_hash"])
    if parse_any(found["reference"]).kind != found["kind"]:
        raise ValueError(f"{found['reference']} is no {found['kind']}")
    files = tuple(_file(one) for one in found["files"])
    if found["digest"] not in [file.digest for file in files]:
        raise ValueError(f"{found['reference']} is locked without its main file")
    return LockEntry(**found | {"files": files})


def _file(fields: Any) -> ResolvedFile:
    found = _object(fields, {"name", "digest", "size_bytes"})
    digest_hex(found["digest"])
    if type(found["size_bytes"]) is not int or found["size_bytes"] < 0 or not isinstance(found["name"], str):
        raise ValueError("a file has no name or no size")
    return ResolvedFile(**found)


def _object(fields: Any, names: set[str]) -> dict[str, Any]:
    if not isinstance(fields, dict) or fields.keys() != names:
        raise ValueError(f"expected exactly the fields {', '.join(sorted(names))}")
    return dict(fields)
