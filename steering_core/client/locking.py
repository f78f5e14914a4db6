"""Locks: what many references mean now, in one request; and everything that a lock names, into the cache.

A lock is believed, a registry is not: bytes are verified against the digests in the lock, whose form is in
`lockfile`.
"""

from collections.abc import Sequence

from steering_core.client.cache import CachedRef
from steering_core.client.http import RegistryClient
from steering_core.client.lockfile import Lock, LockEntry
from steering_core.client.presets import pinned_members, preset_file
from steering_core.client.pulling import File, conformance_file, fetched, vector_file
from steering_core.client.references import Reference, parse_any
from steering_core.client.resolved import (
    CERTIFICATE_FILE,
    PRESET_FILE,
    VECTOR_FILE,
    Resolved,
    ResolvedFile,
    resolve_many,
    resolve_one,
)
from steering_core.client.resolving import Source, check_same, note, warn
from steering_core.errors import LockError, NotFoundError


def make_lock(references: Sequence[Reference], source: Source) -> Lock:
    """What references mean now, with an entry for each and for each member of a preset.

    Raises:
        ReferenceSyntaxError: one is a digest alone, which needs no lock.
        NotFoundError: one names nothing that this token may see.
        GatedError, PaidError: the files of one are kept back.
        LockError: a preset has a member that this token may not see.
    """
    client = _online(source)
    entries: dict[tuple[str, str], LockEntry] = {}
    for reference, found in zip(references, resolve_many(references, client), strict=True):
        # The registry's refusal says why there is nothing.
        whole = found or resolve_one(reference, client)
        note(reference, whole, source.cache)
        for one in (whole, *_members(reference, whole, source)):
            one.check_files(client.endpoint)
            entries.setdefault((one.kind, one.reference), _entry(one))
            for message in one.warnings:
                warn(message)
    return Lock(client.endpoint, tuple(entries.values()))


def pull_lock(lock: Lock, source: Source) -> int:
    """Bring every file that a lock names into the cache, note what references mean; how many were fetched.

    Nobody is asked where the cache has all of them.

    Raises:
        LockError: `lock.gone`: the registry gives one of the digests no more.
        DigestMismatchError: other bytes came than the lock says; nothing of them was kept.
        NotFoundError: offline, and something is missing.
        GatedError, PaidError: files are kept back from this token.
    """
    wanted = {file.digest: (entry, file) for entry in lock.entries for file in entry.files}
    missing = {named: one for named, one in wanted.items() if source.cache.read(named) is None}
    if missing:
        _check_given(list(dict.fromkeys(entry for entry, _ in missing.values())), source)
    for entry, file in missing.values():
        fetched(_place(entry, file), source)
    for entry in lock.entries:
        _note(entry, source)
    return len(missing)


def moved(lock: Lock, source: Source) -> list[tuple[LockEntry, Resolved | None]]:
    """The entries whose references mean something else now, with what they mean: None for nothing.

    Raises:
        ClientError: the registry cannot be asked.
    """
    references = [parse_any(entry.reference) for entry in lock.entries]
    now = resolve_many(references, _online(source))
    pairs = zip(lock.entries, now, strict=True)
    return [(entry, found) for entry, found in pairs if found is None or found.digest != entry.digest]


def _members(reference: Reference, found: Resolved, source: Source) -> Sequence[Resolved]:
    """What the registry says about the members of a preset, if it says it of all."""
    if found.kind != "preset":
        return ()
    given = {one.digest: one for one in found.vectors}
    wanted = pinned_members(reference, found.digest, source)
    for member in wanted:
        if member.digest not in given:
            raise LockError(
                f"{reference} has the member {member.reference}, which this token may not see; "
                "ask its publisher",
                code="lock.hidden_member",
            )
    return [given[member.digest] for member in wanted]


def _check_given(entries: Sequence[LockEntry], source: Source) -> None:
    """One request: whether the registry still gives what is missing."""
    client = _online(source)
    for entry, found in zip(entries, resolve_many([one.pinned for one in entries], client), strict=True):
        if found is None:
            raise LockError(
                f"{client.endpoint} does not give {entry.exact} ({entry.digest}) to this token any more; "
                "see that BEARING_ENDPOINT and the token are right, or lock again",
                code="lock.gone",
            )
        found.check_files(client.endpoint)
        for message in found.warnings:
            warn(message)


def _place(entry: LockEntry, file: ResolvedFile) -> File:
    """Where a file is; its size and digest are the lock's."""
    known = {
        VECTOR_FILE: lambda: vector_file(entry.exact, file.digest),
        CERTIFICATE_FILE: lambda: conformance_file(entry.exact, entry.version, file.digest),
        PRESET_FILE: lambda: preset_file(entry.exact, file.digest),
    }
    place = known.get(file.name, lambda: vector_file(Reference("", "", file.digest), file.digest))()
    return File(file.digest, place.path, place.accept, file.size_bytes, f"{file.name} of {entry.exact}")


def _note(entry: LockEntry, source: Source) -> None:
    """What was locked is what the cache says where nobody is asked."""
    known = source.cache.read_ref(entry.exact)
    certificate = next((file.digest for file in entry.files if file.name == CERTIFICATE_FILE), "")
    found = CachedRef(entry.digest, entry.version, conformance=certificate)
    if known is not None:
        check_same(entry.exact, known, found, source.cache)
    for reference in {entry.exact, parse_any(entry.reference)}:
        before = source.cache.read_ref(reference)
        if before is None or (before.digest, before.conformance) != (found.digest, found.conformance):
            source.cache.write_ref(reference, found)


def _entry(found: Resolved) -> LockEntry:
    kept = (found.reference, found.kind, found.name, found.version, found.digest, found.model_hash)
    return LockEntry(*kept, found.files)


def _online(source: Source) -> RegistryClient:
    if source.client is None:
        raise NotFoundError(
            "offline, and the registry has to be asked: something is not in the cache, or damaged there",
            code="client.offline",
        )
    return source.client
