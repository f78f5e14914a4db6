"""References to versions, many at once: what a client asks before it pulls, in as many queries for a hundred
references as for one. `selectors.version_get` gives one version whole, and says why it gives none.
"""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from registry.accounts.access import Visibility, visible_to
from registry.catalog.gating import FileAccess, access_states, closed_error
from registry.catalog.models import Alias, Vector, VectorName, VectorVersion
from registry.catalog.notices import Notice, check_present, removal_error, version_notices
from registry.catalog.selectors import (
    vector_get,
    version_by_digest,
    version_file_rows,
    version_find,
    version_get,
)
from registry.catalog.states import NAMED, RELEASED, VersionState
from registry.core.errors import InvalidError, NotFoundError
from registry.core.naming import SLUG, Reference, parse_reference, row_id, version_key
from registry.storage.models import Blob
from steering_core.spec import digest_hex

# What a reference may lead to.
KINDS = ("vector", "preset")
_NAMED = re.compile(rf"({SLUG})/({SLUG})(?:@(.+))?")
# What resolving speaks of; the large columns stay in the database.
_COLUMNS = (
    *("vector__name", "vector__visibility", "vector__access", "vector__owner__slug"),
    *("vector__deprecated_at", "vector__deprecation_reason", "vector__replacement"),
    *("vector__removed_at", "vector__removal_kind", "vector__removal_reason"),
    *("version", "state", "verdict", "grade", "license", "published_at", "yank_reason"),
    *("deprecated_at", "deprecation_reason", "replacement"),
    *("removed_at", "removal_kind", "removal_reason"),
    *("base_model__name", "base_model__model_hash"),
    *("artifact__size_bytes", "artifact__media_type", "conformance__size_bytes", "conformance__media_type"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reference, taken apart: of a named vector, or a digest alone, where `owner` and `name` are empty."""

    owner: str
    name: str
    ref: Reference


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a reference leads to, for one viewer.

    Attributes:
        reference: as it was asked.
        access: whether the viewer may have the files.
    """

    reference: str
    version: VectorVersion
    access: FileAccess
    notices: tuple[Notice, ...]

    @property
    def has_files(self) -> bool:
        """Whether the viewer may have the files."""
        return self.version.state in RELEASED and self.access.state in ("open", "granted")


def parse_wanted(text: str) -> Wanted:
    """`owner/name`, `owner/name@ref` or `sha256:<64 hex>`.

    Raises:
        InvalidError: none of these.
    """
    if text.startswith("sha256:"):
        return Wanted("", "", parse_reference(text))
    match = _NAMED.fullmatch(text)
    if match is None:
        raise InvalidError(
            f"{text[:200]!r} is no reference; expected owner/name, owner/name@ref, preset:owner/name@ref or "
            "sha256:<64 hex digits>",
            code="reference.invalid",
        )
    return Wanted(match[1], match[2], parse_reference(match[3] or "latest"))


def resolve_one(*, viewer: Any, reference: str) -> Resolved:
    """What a reference leads to, in two queries, three for an alias, and two more where files are not open.

    Raises:
        InvalidError: it is no reference.
        NotFoundError: it names nothing that the viewer may see; the alias is at a yanked version.
        RemovedError: operators took it away.
    """
    found = resolve_many(viewer=viewer, references=[reference]).get(reference)
    if found is not None and found.version.state in RELEASED:
        return found
    # It ends in a refusal; these know which.
    if reference.startswith("sha256:"):
        version = version_by_digest(viewer=viewer, sha256=digest_hex(reference))
    else:
        version = version_find(viewer=viewer, reference=reference)
    check_present(version)
    raise NotFoundError(f"{reference} is not released", code="version.not_found")


def resolve_many(*, viewer: Any, references: Sequence[str]) -> dict[str, Resolved]:
    """What each of these leads to; those that name nothing the viewer may see are left out. What operators
    removed is there, without files.

    Raises:
        InvalidError: one is no reference.
    """
    wanted = {text: parse_wanted(text) for text in dict.fromkeys(references)}
    vectors = _vectors(viewer, wanted.values())
    aliased = _aliased(wanted.values(), vectors)
    rows = _versions(viewer, wanted.values(), vectors, aliased)
    found = {text: row for text, want in wanted.items() if (row := _pick(want, vectors, aliased, rows))}
    closed = {row.vector_id: row.vector for row in found.values()}
    access = access_states(viewer, closed.values())
    return {text: _resolved(text, wanted[text], row, access[row.vector_id]) for text, row in found.items()}


def version_at_prefix(*, viewer: Any, owner: str, name: str, prefix: str) -> VectorVersion:
    """The version of a vector whose file's sha256 begins with these hex digits.

    Raises:
        NotFoundError: no such vector or version for this viewer.
        RemovedError: operators took it away.
    """
    vector = vector_get(viewer=viewer, owner=owner, name=name)
    rows = vector.versions.filter(artifact__sha256__startswith=prefix, state__in=NAMED)
    digest = rows.order_by("artifact_id").values_list("artifact_id", flat=True).first()
    if digest is None:
        raise NotFoundError(f"{owner}/{name} has no version {prefix}", code="version.not_found")
    return version_get(viewer=viewer, owner=owner, name=name, reference=f"sha256:{digest}")


def version_names(*, vector: Vector) -> list[tuple[str, str]]:
    """Of each published version of a vector that the viewer may see its number and its file's sha256, highest
    first.
    """
    rows = vector.versions.filter(state=VersionState.PUBLISHED).order_by()
    found = [(str(version), str(sha256)) for version, sha256 in rows.values_list("version", "artifact_id")]
    return sorted(found, key=lambda item: version_key(item[0]), reverse=True)


def file_granted(*, version_id: str, sha256: str) -> tuple[VectorVersion, Blob]:
    """A file of a version to whoever was given a link to it; that they may have it was decided then.

    Raises:
        NotFoundError: the version was removed since.
    """
    row = version_file_rows().filter(pk=row_id(version_id), state__in=RELEASED).first()
    blobs = (row.artifact, row.conformance) if row else ()
    blob = next((blob for blob in blobs if blob and blob.sha256 == sha256), None)
    if row is None or blob is None:
        raise NotFoundError("there is no such file any more", code="blob.not_found")
    return row, blob


# (owner, name) as asked -> (vector, its latest version)
Vectors = Mapping[tuple[str, str], tuple[uuid.UUID, uuid.UUID | None]]
Aliased = Mapping[tuple[uuid.UUID, str], uuid.UUID]


def _vectors(viewer: Any, wanted: Iterable[Wanted]) -> Vectors:
    """The vectors that have or had these names."""
    names = {(want.owner, want.name) for want in wanted if want.name}
    if not names:
        return {}
    asked = _any(Q(owner__slug=owner, name=name) for owner, name in sorted(names))
    rows = VectorName.objects.filter(asked, visible_to(viewer, prefix="row__"))
    found = rows.values_list("owner__slug", "name", "row_id", "row__latest_id")
    return {(owner, name): (pk, latest) for owner, name, pk, latest in found}


def _aliased(wanted: Iterable[Wanted], vectors: Vectors) -> Aliased:
    """Where the aliases that were asked for are."""
    asked = [
        Q(vector=vectors[want.owner, want.name][0], name=want.ref.alias)
        for want in wanted
        if want.ref.alias and (want.owner, want.name) in vectors
    ]
    if not asked:
        return {}
    rows = Alias.objects.filter(_any(asked)).order_by()
    return {(vector, name): pk for vector, name, pk in rows.values_list("vector_id", "name", "version_id")}


def _versions(
    viewer: Any, wanted: Iterable[Wanted], vectors: Vectors, aliased: Aliased
) -> list[VectorVersion]:
    """Every version that one of these may mean, the best of equal files first."""
    conditions, keys, digests = [], set(aliased.values()), []
    for want in wanted:
        if not want.name:
            digests.append(digest_hex(want.ref.digest))
        elif (want.owner, want.name) in vectors:
            pk, latest = vectors[want.owner, want.name]
            if want.ref.version:
                conditions.append(Q(vector=pk, version=want.ref.version))
            elif want.ref.digest:
                conditions.append(Q(vector=pk, artifact=digest_hex(want.ref.digest)))
            elif latest and not want.ref.alias:
                keys.add(latest)
    if keys:
        conditions.append(Q(pk__in=keys))
    if digests:
        conditions.append(Q(artifact__in=digests) & visible_to(viewer, prefix="vector__"))
    if not conditions:
        return []
    rows = VectorVersion.objects.filter(_any(conditions), state__in=NAMED).order_by()
    joined = rows.select_related("vector__owner", "base_model", "artifact", "conformance")
    return sorted(joined.only(*_COLUMNS), key=_worth)


def _worth(row: VectorVersion) -> tuple[bool, bool, bool, float]:
    """The order of `selectors.version_by_digest`: what is served, then what most may see, then the newest."""
    is_hidden = row.vector.visibility != Visibility.PUBLIC
    published = row.published_at.timestamp() if row.published_at else 0.0
    return (row.state == VersionState.REMOVED, is_hidden, row.state == VersionState.YANKED, -published)


def _pick(
    want: Wanted, vectors: Vectors, aliased: Aliased, rows: list[VectorVersion]
) -> VectorVersion | None:
    if not want.name:
        return next((row for row in rows if row.digest == want.ref.digest), None)
    if (want.owner, want.name) not in vectors:
        return None
    pk, latest = vectors[want.owner, want.name]
    mine = [row for row in rows if row.vector_id == pk]
    if want.ref.version:
        return next((row for row in mine if row.version == want.ref.version), None)
    if want.ref.digest:
        return next((row for row in mine if row.digest == want.ref.digest), None)
    key = aliased.get((pk, want.ref.alias)) if want.ref.alias else latest
    row = next((row for row in mine if row.pk == key), None)
    # An alias leads nowhere while its version is yanked.
    return None if row and want.ref.alias and row.state == VersionState.YANKED else row


def _resolved(text: str, want: Wanted, row: VectorVersion, access: FileAccess) -> Resolved:
    asked = f"{want.owner}/{want.name}" if want.name else ""
    # One row may be asked by several names.
    row.vector.asked_as = "" if asked == str(row.vector) else asked
    notices = version_notices(row)
    if removed := removal_error(row.vector) or removal_error(row):
        notices.append(Notice(removed.code, removed.message))
    elif access.state in ("gated", "paid"):
        closed = closed_error(row.vector)
        notices.append(Notice(closed.code, closed.message))
    return Resolved(text, row, access, tuple(notices))


def _any(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions)
