"""From a reference to verified bytes: which digest is meant, then the cache, then the download.

`hub` is the way in. Nothing is returned, and nothing kept, whose digest is not the promised one.
"""

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steering_core.client.cache import Cache, CachedRef
from steering_core.client.config import Mode
from steering_core.client.http import RegistryClient
from steering_core.client.incoming import Progress, download
from steering_core.client.references import Reference, ReferenceSyntaxError, parse_version
from steering_core.errors import (
    ClientError,
    DigestMismatchError,
    FormatError,
    NotFoundError,
    UnreachableError,
)
from steering_core.formats.bearing import read_vector
from steering_core.formats.conformance import MAX_BYTES as MAX_CERTIFICATE_BYTES
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.spec import digest_hex
from steering_core.vector import SteeringVector

DOWNLOAD_ACCEPT = "application/vnd.bearing.vector+safetensors, application/octet-stream;q=0.9"


class RegistryWarning(UserWarning):
    """The vector was pulled, but its registry or the cache has something to say about it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where files come from; `client` is None where nothing but the cache is asked."""

    cache: Cache
    client: RegistryClient | None
    mode: Mode = "auto"
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pulled:
    """A verified vector, its file and where that is kept; `version` is empty for a bare digest.

    `warnings` are what the registry says about the version: yanked, deprecated, moved.
    """

    reference: str
    digest: str
    version: str
    path: Path
    data: bytes = field(repr=False)
    vector: SteeringVector
    from_cache: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """One file of the registry's: its digest, where it is, and what it is called in messages."""

    digest: str
    path: str
    accept: str
    most_bytes: int
    what: str


def pull(reference: Reference, source: Source) -> Pulled:
    """The vector that a reference names.

    Raises:
        NotFoundError: no such version for this token, or not in the cache and no client.
        DigestMismatchError: the bytes, or what a released version stands for, changed.
        FormatError: the file is no Bearing vector.
    """
    meant = _meant(reference, source)
    for message in meant.warnings:
        _warn(message)
    data, from_cache = fetched(vector_file(reference, meant.digest), source)
    try:
        vector = read_vector(data, meant.digest)
    except FormatError:
        source.cache.remove(meant.digest)
        raise
    return Pulled(
        reference=str(reference),
        digest=meant.digest,
        version=meant.version,
        path=source.cache.path(meant.digest),
        data=data,
        vector=vector,
        from_cache=from_cache,
        warnings=meant.warnings,
    )


def pull_conformance(reference: Reference, source: Source) -> bytes:
    """The certificate of the version that a reference names.

    Raises:
        ReferenceSyntaxError: a digest alone names a file, and it is versions that have certificates.
        NotFoundError: no such version for this token, it has no certificate, or no client and not cached.
        DigestMismatchError: the bytes, or what a released version stands for, changed.
    """
    if not reference.owner:
        raise ReferenceSyntaxError(f"{reference} names a file only; give owner/name@{reference}")
    meant = _meant(reference, source, part="conformance")
    file = conformance_file(reference, meant.version or meant.digest, meant.conformance)
    if not meant.conformance:
        if source.client is not None:
            source.client.get(file.path)  # the registry's refusal says why there is none
        raise NotFoundError(
            f"the cache knows of no certificate of {reference}; ask once online", code="client.offline"
        )
    return fetched(file, source)[0]


def vector_file(reference: Reference, named: str) -> File:
    """The file of a vector by its digest; by name too where that is known, since downloads are counted."""
    path = f"/blobs/{named}"
    if reference.owner:
        path = f"/vectors/{reference.owner}/{reference.name}/versions/{named}/download"
    return File(named, path, DOWNLOAD_ACCEPT, MAX_FILE_BYTES, f"the file of {reference}")


def conformance_file(reference: Reference, version: str, named: str) -> File:
    """The certificate of a version."""
    path = f"/vectors/{reference.owner}/{reference.name}/versions/{version}/conformance"
    return File(named, path, "application/json", MAX_CERTIFICATE_BYTES, f"the certificate of {reference}")


def fetched(file: File, source: Source) -> tuple[bytes, bool]:
    """The verified bytes, and whether the cache had them.

    Raises:
        NotFoundError: not in the cache and no client.
        DigestMismatchError: other bytes came; nothing was kept.
    """
    data = source.cache.read(file.digest)
    if data is not None:
        return data, True
    if source.client is None:
        raise NotFoundError(
            f"offline, and {file.what} is not in the cache, or damaged there; pull it once online",
            code="client.offline",
        )
    with source.cache.incoming(file.digest, most_bytes=file.most_bytes) as into:
        download(source.client, file.path, into, accept=file.accept, progress=source.progress)
    data = source.cache.read(file.digest)
    if data is None:
        raise ClientError(
            f"{source.cache.path(file.digest)} was written but does not read back; check the disk",
            code="client.cache",
        )
    return data, False


def _meant(reference: Reference, source: Source, *, part: str = "digest") -> CachedRef:
    """Which digest is meant; nobody is asked about an exact version or digest whose `part` the cache has."""
    if not reference.owner:
        return CachedRef(reference.selector, "")
    if source.client is None:
        return _from_cache(reference, source.cache, "offline")
    known = _known(reference, source.cache)
    if known is not None and source.cache.has(getattr(known, part)):
        if not reference.is_moving:
            return known
        if source.mode == "prefer_offline":
            return _from_cache(reference, source.cache, "offline is preferred")
    try:
        found = _asked(reference, source.client)
    except UnreachableError as error:
        if known is None:
            raise
        return _from_cache(reference, source.cache, error.message)
    _compare(reference, found, source.cache)
    source.cache.write_ref(reference, found)
    if found.version:
        source.cache.write_ref(Reference(reference.owner, reference.name, found.version), found)
    return found


def _known(reference: Reference, cache: Cache) -> CachedRef | None:
    found = cache.read_ref(reference)
    if found is None and reference.digest is not None:
        return CachedRef(reference.digest, "")
    return found


def _from_cache(reference: Reference, cache: Cache, why: str) -> CachedRef:
    found = _known(reference, cache)
    if found is None:
        raise NotFoundError(
            f"{why}, and {reference} is not in the cache; pull it once while the registry can be reached",
            code="client.offline",
        )
    if reference.is_moving:
        _warn(
            f"{why}; {reference} is taken from the cache, where it is version {found.version} "
            f"(asked {found.fetched_at})"
        )
    return found


def _asked(reference: Reference, client: RegistryClient) -> CachedRef:
    """What the registry says the reference means now."""
    version = client.get(f"/vectors/{reference.owner}/{reference.name}/versions/{reference.selector}")
    return _checked(version, reference)


def _checked(version: Any, reference: Reference) -> CachedRef:
    """The parts of a version object that are acted on.

    Raises:
        ClientError: a part is missing, or the answer is about other bytes than the reference.
    """
    try:
        named, number = str(version["digest"]), str(version.get("version") or "")
        certificate = str((version.get("conformance") or {}).get("digest") or "")
        for sent in filter(None, (named, certificate)):
            digest_hex(sent)
        if number:
            parse_version(number)
        warned = tuple(str(warning["message"]) for warning in version.get("warnings") or ())
    except (KeyError, TypeError, AttributeError, FormatError, ClientError) as error:
        raise ClientError(
            f"the registry's answer about {reference} lacks a digest or a version; "
            "its API may be of another version",
            code="client.bad_answer",
        ) from error
    if reference.digest not in (None, named) or (
        reference.digest is None and not reference.is_moving and reference.selector != number
    ):
        raise DigestMismatchError(f"asked about {reference}, the registry answered about {named} ({number})")
    return CachedRef(named, number, conformance=certificate, warnings=warned)


def _compare(reference: Reference, found: CachedRef, cache: Cache) -> None:
    """A released version never changes; a registry that says otherwise is not believed."""
    if not found.version:
        return
    exact = Reference(reference.owner, reference.name, found.version)
    known = cache.read_ref(exact)
    if known is None:
        return
    for was, now in ((known.digest, found.digest), (known.conformance, found.conformance)):
        # A note from before there were certificates names none.
        if was and was != now:
            raise DigestMismatchError(
                f"{exact} was {was} when it was pulled at {known.fetched_at}, and the registry now says "
                f"{now or 'that there is none'}; a released version never changes. "
                f"If you know why it did, remove {cache.ref_path(exact)}",
                code="client.version_changed",
            )


def _warn(message: str) -> None:
    warnings.warn(message, RegistryWarning, stacklevel=5)
