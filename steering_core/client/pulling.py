"""From a reference to verified bytes: the cache, then the download. `resolving` says which digest is meant.

`hub` is the way in. Nothing is returned, and nothing kept, whose digest is not the promised one.
"""

from dataclasses import dataclass, field
from pathlib import Path

from steering_core.client.cache import Cache
from steering_core.client.incoming import download
from steering_core.client.references import Reference, ReferenceSyntaxError
from steering_core.client.resolving import Source, meant, warn
from steering_core.errors import ClientError, FormatError, NotFoundError
from steering_core.formats.bearing import read_vector
from steering_core.formats.conformance import MAX_BYTES as MAX_CERTIFICATE_BYTES
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.vector import SteeringVector

DOWNLOAD_ACCEPT = "application/vnd.bearing.vector+safetensors, application/octet-stream;q=0.9"


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
    wanted = meant(reference, source)
    for message in wanted.warnings:
        warn(message)
    data, from_cache = fetched(vector_file(reference, wanted.digest), source)
    return Pulled(
        reference=str(reference),
        digest=wanted.digest,
        version=wanted.version,
        path=source.cache.path(wanted.digest),
        data=data,
        vector=read_kept(data, wanted.digest, source.cache),
        from_cache=from_cache,
        warnings=wanted.warnings,
    )


def read_kept(data: bytes, named: str, cache: Cache) -> SteeringVector:
    """The vector in a file of the cache; one that is no vector does not stay there.

    Raises:
        FormatError: the file is no Bearing vector.
    """
    try:
        return read_vector(data, named)
    except FormatError:
        cache.remove(named)
        raise


def pull_conformance(reference: Reference, source: Source) -> bytes:
    """The certificate of the version that a reference names.

    Raises:
        ReferenceSyntaxError: a digest alone names a file, and it is versions that have certificates.
        NotFoundError: no such version for this token, it has no certificate, or no client and not cached.
        DigestMismatchError: the bytes, or what a released version stands for, changed.
    """
    if not reference.owner:
        raise ReferenceSyntaxError(f"{reference} names a file only; give owner/name@{reference}")
    wanted = meant(reference, source, part="conformance")
    file = conformance_file(reference, wanted.version or wanted.digest, wanted.conformance)
    if not wanted.conformance:
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
