"""Which digest a reference means: what the cache knows, or what the registry says without contradicting it.

`resolved` is how the registry is asked, `pulling` fetches what is meant.
"""

import warnings
from dataclasses import dataclass, replace

from steering_core.client.cache import Cache, CachedRef
from steering_core.client.config import Mode
from steering_core.client.http import RegistryClient
from steering_core.client.incoming import Progress
from steering_core.client.references import Reference
from steering_core.client.resolved import Resolved, resolve_one
from steering_core.errors import DigestMismatchError, NotFoundError, UnreachableError


class RegistryWarning(UserWarning):
    """The vector was pulled, but its registry or the cache has something to say about it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where files come from; `client` is None where nothing but the cache is asked."""

    cache: Cache
    client: RegistryClient | None
    mode: Mode = "auto"
    progress: Progress | None = None


def meant(reference: Reference, source: Source, *, part: str = "digest") -> CachedRef:
    """Which digest is meant; nobody is asked about an exact version or digest whose `part` the cache has.

    Raises:
        NotFoundError: no such version for this token, or not in the cache and no client.
        DigestMismatchError: what a released version stands for changed.
    """
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
        found = resolve_one(reference, source.client)
    except UnreachableError as error:
        if known is None:
            raise
        return _from_cache(reference, source.cache, error.message)
    return note(reference, found, source.cache)


def note(reference: Reference, found: Resolved, cache: Cache) -> CachedRef:
    """Keep what a reference was found to mean, and what its version does.

    Raises:
        DigestMismatchError: that version stood for something else before.
    """
    exact = reference.at(found.version)
    known = cache.read_ref(exact)
    kept = CachedRef(found.digest, found.version, conformance=found.conformance, warnings=found.warnings)
    if known is not None:
        if not found.files:
            kept = replace(kept, conformance=known.conformance)
        check_same(exact, known, kept, cache)
    cache.write_ref(exact, kept)
    if reference != exact:
        cache.write_ref(reference, kept)
    return kept


def check_same(exact: Reference, known: CachedRef, found: CachedRef, cache: Cache) -> None:
    """A released version never changes; who says otherwise is not believed.

    Raises:
        DigestMismatchError: `client.version_changed`.
    """
    for was, now in ((known.digest, found.digest), (known.conformance, found.conformance)):
        # A note from before there were certificates names none.
        if was and was != now:
            raise DigestMismatchError(
                f"{exact} was {was} when it was pulled at {known.fetched_at}, and now it is said to be "
                f"{now or 'without one'}; a released version never changes. "
                f"If you know why it did, remove {cache.ref_path(exact)}",
                code="client.version_changed",
            )


def warn(message: str) -> None:
    """Tell whoever pulled."""
    warnings.warn(message, RegistryWarning, stacklevel=5)


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
        warn(
            f"{why}; {reference} is taken from the cache, where it is version {found.version} "
            f"(asked {found.fetched_at})"
        )
    return found
