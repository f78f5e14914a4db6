"""From a reference to verified bytes: which digest is meant, then the cache, then the download.

`hub` is the way in. Nothing is returned, and nothing kept, whose digest is not the promised one.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from steering_core.client.cache import Cache, CachedRef
from steering_core.client.http import RegistryClient, Request, UnreachableError
from steering_core.client.references import Reference, ReferenceSyntaxError, parse_version
from steering_core.errors import ClientError, DigestMismatchError, FormatError, NotFoundError
from steering_core.formats.bearing import read_vector
from steering_core.formats.conformance import MAX_BYTES as MAX_CERTIFICATE_BYTES
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.spec import digest_hex
from steering_core.vector import SteeringVector

DOWNLOAD_ACCEPT = "application/vnd.bearing.vector+safetensors, application/octet-stream;q=0.9"


class RegistryWarning(UserWarning):
    """The vector was pulled, but its registry or the cache has something to say about it."""


@dataclass(frozen=True, slots=True, eq=False)
class Pulled:
    """A verified vector, its file and where that is kept; `version` is empty for a bare digest."""

    reference: str
    digest: str
    version: str
    path: Path
    data: bytes = field(repr=False)
    vector: SteeringVector
    from_cache: bool
    yank_reason: str | None


def pull(reference: Reference, cache: Cache, client: RegistryClient | None) -> Pulled:
    """The vector that a reference names. Without a client only the cache is asked.

    Raises:
        NotFoundError: no such version for this token, or not in the cache and no client.
        DigestMismatchError: the bytes, or what a released version stands for, changed.
        FormatError: the file is no Bearing vector.
    """
    meant = _resolve(reference, cache, client)
    if meant.yank_reason is not None:
        reason = meant.yank_reason or "no reason given"
        _warn(
            f"{reference} was yanked by its publisher: {reason}. It still works; choose another version soon"
        )
    path = f"/blobs/{meant.digest}"
    if reference.owner:
        path = f"/vectors/{reference.owner}/{reference.name}/versions/{meant.digest}/download"
    file = _File(meant.digest, path, DOWNLOAD_ACCEPT, MAX_FILE_BYTES, f"the file of {reference}")
    data, from_cache = _fetched(file, cache, client)
    try:
        vector = read_vector(data, meant.digest)
    except FormatError:
        cache.remove(meant.digest)
        raise
    return Pulled(
        reference=str(reference),
        digest=meant.digest,
        version=meant.version,
        path=cache.path(meant.digest),
        data=data,
        vector=vector,
        from_cache=from_cache,
        yank_reason=meant.yank_reason,
    )


def pull_conformance(reference: Reference, cache: Cache, client: RegistryClient | None) -> bytes:
    """The certificate of the version that a reference names. Without a client only the cache is asked.

    Raises:
        ReferenceSyntaxError: a digest alone names a file, and it is versions that have certificates.
        NotFoundError: no such version for this token, it has no certificate, or no client and not cached.
        DigestMismatchError: the bytes, or what a released version stands for, changed.
    """
    if not reference.owner:
        raise ReferenceSyntaxError(f"{reference} names a file only; give owner/name@{reference}")
    meant = _resolve(reference, cache, client)
    version = meant.version or meant.digest
    path = f"/vectors/{reference.owner}/{reference.name}/versions/{version}/conformance"
    if not meant.conformance:
        if client is not None:
            client.get(path)  # the registry's refusal says why there is none
        raise NotFoundError(
            f"the cache knows of no certificate of {reference}; ask once online", code="client.offline"
        )
    file = _File(
        meant.conformance, path, "application/json", MAX_CERTIFICATE_BYTES, f"the certificate of {reference}"
    )
    return _fetched(file, cache, client)[0]


def _resolve(reference: Reference, cache: Cache, client: RegistryClient | None) -> CachedRef:
    """Which digest is meant."""
    if not reference.owner:
        return CachedRef(reference.selector, "")
    if client is None:
        return _from_cache(reference, cache, "BEARING_OFFLINE is set")
    try:
        version = client.get(f"/vectors/{reference.owner}/{reference.name}/versions/{reference.selector}")
    except UnreachableError as error:
        if cache.read_ref(reference) is None and reference.digest is None:
            raise
        return _from_cache(reference, cache, error.message)
    found = _checked(version, reference)
    _compare(reference, found, cache)
    cache.write_ref(reference, found)
    if found.version:
        cache.write_ref(Reference(reference.owner, reference.name, found.version), found)
    return found


def _from_cache(reference: Reference, cache: Cache, why: str) -> CachedRef:
    found = cache.read_ref(reference)
    if found is None and reference.digest is not None:
        found = CachedRef(reference.digest, "")
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
        yanked = version.get("yank_reason") or "" if version.get("yanked_at") else None
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
    return CachedRef(named, number, yank_reason=yanked, conformance=certificate)


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


@dataclass(frozen=True, slots=True)
class _File:
    """What a reference was found to mean; `what` names it in messages."""

    digest: str
    path: str
    accept: str
    most_bytes: int
    what: str


def _fetched(file: _File, cache: Cache, client: RegistryClient | None) -> tuple[bytes, bool]:
    """The verified bytes, and whether the cache had them."""
    data = cache.read(file.digest)
    if data is not None:
        return data, True
    if client is None:
        raise NotFoundError(
            f"BEARING_OFFLINE is set, and {file.what} is not in the cache; pull it once online",
            code="client.offline",
        )
    request = Request(
        # A compressed transfer would hide the bytes that the digest is about.
        "GET",
        file.path,
        headers={"Accept": file.accept, "Accept-Encoding": "identity"},
        repeatable=True,
    )

    def keep(response: httpx.Response) -> None:
        cache.write(file.digest, _chunks(response), most_bytes=file.most_bytes)

    client.fetch(request, keep, elsewhere=True)
    data = cache.read(file.digest)
    if data is None:
        raise ClientError(
            f"{cache.path(file.digest)} was written but does not read back; check the disk",
            code="client.cache",
        )
    return data, False


def _chunks(response: httpx.Response) -> Iterator[bytes]:
    yield from response.iter_bytes(64 * 1024)


def _warn(message: str) -> None:
    warnings.warn(message, RegistryWarning, stacklevel=5)
