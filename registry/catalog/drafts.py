"""Versions on their way: made for a run, filled by it or failed, discarded by their owner."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from registry.accounts.access import namespace_for, require, split_name, visible_to
from registry.accounts.models import User
from registry.accounts.ownership import name_claim, row_named
from registry.accounts.roles import Role
from registry.catalog.models import BaseModelRevision, Vector, VectorVersion, VersionParent
from registry.catalog.notices import check_present
from registry.catalog.selectors import version_get_by_id, version_rows
from registry.catalog.states import TRANSITIONS, UNRELEASED, Origin, VersionState
from registry.catalog.vectors import vector_changed, vector_to_change, version_file_follow, version_record
from registry.core.errors import ConflictError
from registry.core.state import transition
from registry.datasets.models import DatasetVersion
from registry.storage.models import Blob
from steering_core.spec import ExtractionSpec, canonical_json, digest


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file as somebody brought it, of one of the forms in `steering_core.formats.engines`.

    Attributes:
        direction: which of its directions is taken.
    """

    blob: Blob
    filename: str
    form: str
    direction: str

    def to_json(self) -> dict[str, Any]:
        """For the spec of a version and its report."""
        named = {"filename": self.filename, "form": self.form, "direction": self.direction}
        return {"digest": self.blob.digest, **named}


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a version is computed from released ones: each with what its directions are multiplied with."""

    kind: VersionParent.Kind
    parts: tuple[tuple[VectorVersion, float], ...]

    def to_json(self) -> dict[str, Any]:
        """It, by the digests of the parents' files."""
        parents = [{"digest": row.digest, "weight": weight} for row, weight in self.parts]
        return {"kind": str(self.kind), "parents": parents}


@dataclass(frozen=True, slots=True)
class Draft:
    """What a run is to make.

    Attributes:
        name: of the vector, `owner/name` or a name in the actor's own namespace; made when it is new.
        migrated_from: the version that is moved to this base model, which has a file; None for the others.
        imported: what an import makes the version of; None for the others.
        derivation: which released versions it is computed from; None for the others.
    """

    name: str
    base_model: BaseModelRevision
    dataset_version: DatasetVersion
    spec: ExtractionSpec
    migrated_from: VectorVersion | None = None
    origin: Origin = Origin.EXTRACTED
    imported: ImportedFile | None = None
    derivation: Derivation | None = None

    @property
    def spec_json(self) -> dict[str, Any]:
        """The spec, with the digests of what is moved, computed with or imported; nobody knows an import's
        method.
        """
        if self.imported:
            asked = {name: getattr(self.spec, name) for name in ("dataset_digest", "model_hash", "tier")}
            return {**asked, "imported": self.imported.to_json()}
        moved = {"migrated_from": self.migrated_from.digest} if self.migrated_from else {}
        derived = {"derived": self.derivation.to_json()} if self.derivation else {}
        return {**self.spec.to_json(), **moved, **derived}


def version_draft(*, actor: User, draft: Draft) -> VectorVersion:
    """A draft version for a run to fill, making the vector when it is new. To be called in the run's
    transaction.

    Raises:
        InvalidError: the name is not valid.
        NotFoundError, NotAllowedError: it is not the actor's to write.
        ConflictError: the name belonged to a vector that was moved, which the actor may not see.
        RemovedError: operators took the vector away.
    """
    vector = draft_place(actor=actor, name=draft.name)
    if vector is None:
        owner, name = split_name(actor, draft.name, what="vector")
        with name_claim(f"{owner}/{name}"):
            vector, _ = Vector.objects.get_or_create(owner=namespace_for(actor, owner), name=name)
            vector_changed(vector)
    row = VectorVersion.objects.create(
        vector=vector,
        base_model=draft.base_model,
        dataset_version=draft.dataset_version,
        origin=draft.origin,
        migrated_from=draft.migrated_from,
        imported_file=draft.imported.blob if draft.imported else None,
        spec=draft.spec_json,
        spec_digest=digest(canonical_json(draft.spec_json)),
    )
    if found := draft.derivation:
        VersionParent.objects.bulk_create(
            VersionParent(child=row, parent=parent, kind=found.kind, weight=weight)
            for parent, weight in found.parts
        )
    return row


def draft_place(*, actor: User, name: str) -> Vector | None:
    """The vector of this name that drafts of the actor may go to; None where they may make it.

    Raises:
        InvalidError: the name is not valid.
        NotFoundError, NotAllowedError: it is not the actor's to write.
        RemovedError: operators took the vector away.
    """
    owner, name = split_name(actor, name, what="vector")
    vector: Vector | None = row_named(
        Vector.objects.filter(visible_to(actor)).select_related("owner"), owner, name
    )
    if vector is None:
        namespace_for(actor, owner)
        return None
    require(actor, Role.WRITER, vector)
    check_present(vector)
    return vector


def artifact_attach(
    *,
    version: VectorVersion,
    artifact: Blob,
    manifest: dict[str, Any],
    report: dict[str, Any],
    conformance: Blob | None = None,
    conformance_missing: str = "",
) -> None:
    """Give a draft its file, its report and its certificate. To be called in the run's last transaction.

    Args:
        conformance_missing: why there is no certificate, for people.
    Raises:
        IllegalTransitionError: the version is not a draft.
        ConflictError: a blob is not stored.
    """
    for blob in filter(None, (artifact, conformance)):
        if blob.state != Blob.State.STORED:
            raise ConflictError(f"blob {blob.sha256} is {blob.state}, not stored", code="artifact.not_stored")
    transition(
        version,
        to=VersionState.EXTRACTED,
        allowed=TRANSITIONS,
        artifact=artifact,
        conformance=conformance,
        conformance_missing=conformance_missing[:500],
        manifest=manifest,
        report=report,
        verdict=report["verdict"],
        grade=report.get("grade", ""),
    )
    # A fault of theirs is logged, and costs the run nothing.
    transaction.on_commit(partial(version_file_follow, version), robust=True)


def version_fail(*, version: VectorVersion) -> None:
    """Mark a draft whose run ended without a result."""
    transition(version, to=VersionState.FAILED, allowed=TRANSITIONS)


def draft_list(*, actor: User, owner: str, name: str) -> QuerySet[VectorVersion]:
    """The versions of a vector that are not released, newest first, for whoever may publish them.

    Raises:
        NotFoundError, NotAllowedError: there is no such vector for the actor, or it is not theirs to write.
    """
    vector = vector_to_change(actor, owner, name)
    return version_rows().filter(vector=vector, state__in=UNRELEASED)


def draft_discard(*, actor: User, version_id: str) -> None:
    """Put a draft out of sight for good. Its row stays, since its run names it.

    Raises:
        NotFoundError, NotAllowedError: there is no such version for the actor, or it is not theirs.
        ConflictError: its run has not ended.
        IllegalTransitionError: it is released.
    """
    row = version_get_by_id(viewer=actor, version_id=version_id)
    require(actor, Role.WRITER, row.vector)
    if row.state == VersionState.DRAFT:
        raise ConflictError(
            "its run has not ended; cancel the run first, then discard what is left", code="draft.in_use"
        )
    with transaction.atomic():
        transition(row, to=VersionState.DISCARDED, allowed=TRANSITIONS)
        version_record("draft.discarded", row, actor, id=str(row.pk))
