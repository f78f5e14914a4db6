"""Read the catalog. Every function takes the viewer; what the viewer may not see does not exist."""

from typing import Any

from django.db.models import Case, F, Q, QuerySet, When

from registry.accounts.access import Visibility, check_files, held_by, may, sees, visible_to
from registry.accounts.ownership import row_named
from registry.accounts.roles import Role
from registry.catalog.models import Alias, AliasEvent, BaseModelRevision, Vector, VectorVersion
from registry.catalog.notices import check_present
from registry.catalog.states import NAMED, RELEASED, UNRELEASED, VersionState
from registry.core.errors import NotAllowedError, NotFoundError, RemovedError
from registry.core.naming import Reference, parse_reference, row_id, version_key
from registry.storage.models import Blob
from registry.storage.services import blob_read
from steering_core.spec import digest_hex

# Rows that are looked through for controls; a vector with more versions than that hides older vectors.
CONTROLS_READ = 200
# What apps above this one want to know of every version that is read, in the same query: name -> expression.
ANNOTATIONS: dict[str, Any] = {}


def base_model_list() -> QuerySet[BaseModelRevision]:
    """Every registered base model revision, by name, newest first."""
    return BaseModelRevision.objects.all()


def base_model_get(*, reference: str) -> BaseModelRevision:
    """A base model revision by model hash, or the newest by name.

    Raises:
        NotFoundError: not registered.
    """
    row = (
        BaseModelRevision.objects.filter(Q(model_hash=reference) | Q(name=reference))
        .order_by("-created_at")
        .first()
    )
    if row is None:
        known = ", ".join(BaseModelRevision.objects.values_list("name", flat=True).distinct()[:10]) or "none"
        raise NotFoundError(
            f"base model {reference!r} is not registered here; known: {known}", code="base_model.not_found"
        )
    return row


def control_list(*, version: VectorVersion, limit: int = 5) -> list[str]:
    """Files, by sha256, of public vectors of other data sets on the version's base model: of each vector the
    newest version that is not yanked, newest first. They are controls of the wrong concept.
    """
    rows = (
        VectorVersion.objects.filter(
            base_model=version.base_model_id,
            state=VersionState.PUBLISHED,
            vector__visibility=Visibility.PUBLIC,
        )
        .exclude(vector=version.vector_id)
        .exclude(dataset_version__dataset=version.dataset_version.dataset_id)
        .order_by("-published_at", "id")
        .values_list("vector_id", "artifact_id")
    )
    newest: dict[Any, str] = {}
    for vector_id, sha256 in rows[:CONTROLS_READ]:
        newest.setdefault(vector_id, str(sha256))
    return list(dict.fromkeys(newest.values()))[:limit]


def vector_get(*, viewer: Any, owner: str, name: str) -> Vector:
    """One vector, by its name or by one that it had.

    Raises:
        NotFoundError: unknown, private and not the viewer's, or never published and not the viewer's.
        RemovedError: operators took it away.
    """
    rows = Vector.objects.filter(visible_to(viewer)).select_related(
        "owner", "latest__base_model", "latest__dataset_version__dataset__owner"
    )
    row: Vector | None = row_named(rows, owner, name)
    if row is None or not (row.versions.filter(state__in=NAMED).exists() or may(viewer, Role.WRITER, row)):
        raise NotFoundError(f"there is no vector {owner}/{name}", code="vector.not_found")
    check_present(row)
    return row


def version_list(*, viewer: Any, vector: Vector) -> list[VectorVersion]:
    """Released versions, highest first; for the owner, drafts come before them, newest first."""
    rows = version_rows().filter(vector=vector)
    released = sorted(
        rows.filter(state__in=RELEASED), key=lambda row: version_key(row.version or "0.0.0"), reverse=True
    )
    if may(viewer, Role.WRITER, vector):
        return [*rows.filter(state__in=UNRELEASED), *released]
    return released


def version_get(
    *,
    viewer: Any,
    owner: str,
    name: str,
    reference: str = "latest",
    rows: QuerySet[VectorVersion] | None = None,
) -> VectorVersion:
    """A version by digest, exact version, alias, or `latest`. A yanked version resolves by digest and exact
    version only.

    Args:
        rows: versions with what the caller reads of them, `version_rows()` if not given. One query, but for
            names that a vector had.
    Raises:
        NotFoundError: no such vector or version for this viewer; the alias is at a yanked version.
        RemovedError: operators took the vector or the version away.
        InvalidError: the reference is none of the four forms.
    """
    wanted = parse_reference(reference)
    found = _referred(version_rows() if rows is None else rows, wanted)
    row = _best(found.filter(vector__owner__slug=owner, vector__name=name))
    # Asked of the row, since most are open to all, and the condition costs more than the rest of the query.
    if row is None or not sees(viewer, row.vector):
        # An old name, or a vector without this version: its own 404 says more.
        vector = vector_get(viewer=viewer, owner=owner, name=name)
        row = _best(found.filter(vector=vector))
        if row is None:
            raise NotFoundError(f"{owner}/{name} has no version {reference}", code="version.not_found")
        # With the name that was asked for.
        row.vector = vector
    check_present(row.vector)
    check_present(row)
    if wanted.alias and row.state == VersionState.YANKED:
        here = row.vector
        raise NotFoundError(
            f"{here}@{wanted.alias} is at version {row.version}, which is yanked: {row.yank_reason}; pin "
            f"{here}@{row.version} to have it all the same, or ask the owner to move the alias",
            code="alias.yanked",
        )
    return row


def version_get_by_id(*, viewer: Any, version_id: str) -> VectorVersion:
    """A version by its row id: the owner's drafts too.

    Raises:
        NotFoundError: unknown, discarded, or not the viewer's to see.
        RemovedError: operators took it away.
    """
    rows = version_rows().exclude(state=VersionState.DISCARDED)
    row = rows.filter(visible_to(viewer, prefix="vector__"), pk=row_id(version_id)).first()
    if row is None or not (row.state in NAMED or may(viewer, Role.WRITER, row.vector)):
        raise NotFoundError("there is no such version", code="version.not_found")
    check_present(row.vector)
    check_present(row)
    return row


def version_find(*, viewer: Any, reference: str) -> VectorVersion:
    """A version by what people write: `owner/name`, `owner/name@` and a reference, or its row id, which gives
    the owner's drafts too.

    Raises:
        NotFoundError: unknown, or not the viewer's to see.
        InvalidError: what follows the @ is no reference.
    """
    name, _, wanted = reference.partition("@")
    owner, slash, vector = name.partition("/")
    if not slash:
        return version_get_by_id(viewer=viewer, version_id=reference)
    return version_get(viewer=viewer, owner=owner, name=vector, reference=wanted or "latest")


def version_source(*, viewer: Any, version: VectorVersion) -> VectorVersion | None:
    """The version that this one was moved from, where it was and the viewer may see it."""
    if version.migrated_from_id is None:
        return None
    try:
        return version_get_by_id(viewer=viewer, version_id=str(version.migrated_from_id))
    except NotFoundError:
        return None


def version_by_digest(*, viewer: Any, sha256: str) -> VectorVersion:
    """Any version of a vector the viewer may see whose file has this digest.

    Raises:
        NotFoundError: no such file for this viewer; knowing a digest gives no right to it.
        RemovedError: operators took away every version with it that the viewer could see.
    """
    # The row that most may see and use.
    every = version_file_rows().filter(artifact_id=sha256)
    row = _best(every.filter(vector__visibility=Visibility.PUBLIC, state__in=RELEASED))
    rows = every.filter(visible_to(viewer, prefix="vector__"))
    named = rows.filter(state__in=NAMED)
    row = row or _best(named.exclude(state=VersionState.REMOVED))
    mine = rows.filter(held_by(viewer, Role.WRITER, prefix="vector__"), state__in=UNRELEASED)
    row = row or mine.filter(vector__removed_at=None).first() or named.first()
    if row is None:
        raise NotFoundError("there is no such file", code="blob.not_found")
    check_present(row)
    return row


def reads_vector_file(viewer: Any, sha256: str) -> bool:
    """Whether the viewer may have the native file with this sha256."""
    try:
        check_files(viewer, version_by_digest(viewer=viewer, sha256=sha256).vector)
    except (NotFoundError, NotAllowedError, RemovedError):
        return False
    return True


def alias_list(*, vector: Vector) -> list[Alias]:
    """The aliases of a vector that the viewer may see, by name."""
    return list(vector.aliases.select_related("vector__owner", "version"))


def alias_get(*, vector: Vector, name: str) -> Alias:
    """One alias of a vector that the viewer may see.

    Raises:
        NotFoundError: there is none of this name.
    """
    row = vector.aliases.filter(name=name).select_related("vector__owner", "version").first()
    if row is None:
        raise NotFoundError(f"{vector} has no alias {name}", code="alias.not_found")
    return row


def alias_history(*, vector: Vector, name: str) -> QuerySet[AliasEvent]:
    """What an alias pointed at, newest first; of one that is gone too."""
    return AliasEvent.objects.filter(vector=vector, name=name).select_related("before", "after")


def artifact_read(*, version: VectorVersion) -> bytes:
    """The native file of a version, verified against its digest.

    Raises:
        NotFoundError: the version has no file yet.
        BlobMissingError, BlobCorruptError, BlobStoreError: damage, or the store is out of reach.
    """
    if version.artifact_id is None:
        raise NotFoundError(
            "this version has no file yet; its run has not finished", code="artifact.not_found"
        )
    return blob_read(sha256=version.artifact_id)


def version_conformance(*, version: VectorVersion) -> Blob:
    """The certificate of what an engine must do with a version's file.

    Raises:
        NotFoundError: it has none; the message says why.
    """
    if version.conformance is None:
        why = version.conformance_missing or "its run has not finished, or is older than certificates"
        raise NotFoundError(f"this version has no certificate: {why}", code="conformance.not_found")
    return version.conformance


def _best(rows: QuerySet[VectorVersion]) -> VectorVersion | None:
    """Of versions with equal files the one to give: published before yanked before removed, then newest."""
    rank = Case(
        When(state=VersionState.PUBLISHED, then=0), When(state=VersionState.YANKED, then=1), default=2
    )
    return rows.order_by(rank, "-published_at").first()


def _referred(rows: QuerySet[VectorVersion], wanted: Reference) -> QuerySet[VectorVersion]:
    """Of these versions those that a reference means, for any vector."""
    rows = rows.filter(state__in=NAMED)
    if wanted.version:
        return rows.filter(version=wanted.version)
    if wanted.digest:
        return rows.filter(artifact_id=digest_hex(wanted.digest))
    if wanted.alias:
        return rows.filter(aliases__name=wanted.alias)
    return rows.filter(vector__latest_id=F("pk"))


def version_rows() -> QuerySet[VectorVersion]:
    """Versions with what their objects on the wire speak of; who may see them is for the caller to say."""
    rows = VectorVersion.objects.annotate(**ANNOTATIONS)
    return rows.select_related(
        "vector__owner", "base_model", "dataset_version__dataset__owner", "artifact", "conformance"
    )


def version_file_rows() -> QuerySet[VectorVersion]:
    """Versions with what their files take, and without the large columns, for downloads."""
    return VectorVersion.objects.select_related("vector__owner", "artifact", "conformance").defer(
        "spec", "manifest", "report"
    )
