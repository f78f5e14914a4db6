"""Register base models; draft, publish and yank vector versions."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.accounts.access import (
    OPEN,
    Visibility,
    checked_visibility,
    namespace_for,
    require,
    split_name,
    visible_to,
)
from registry.accounts.models import User
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.catalog.models import BaseModelRevision, Vector, VectorVersion
from registry.catalog.publishing import PublishWish, publish_problems
from registry.catalog.screening import screening_problem
from registry.catalog.states import RELEASED, TRANSITIONS, License, VersionState
from registry.core.errors import ConflictError, InvalidError, NotFoundError
from registry.core.naming import check_slug, check_version, row_id, version_key
from registry.core.state import transition
from registry.datasets.models import DatasetVersion
from registry.storage.models import Blob
from registry.storage.services import blob_put
from steering_core.evaluation.suite import read_suite, write_suite
from steering_core.models.fingerprint import model_fingerprint
from steering_core.spec import ExtractionSpec, canonical_json, digest

logger = logging.getLogger(__name__)

# Called with a vector in the transaction that changed it or its `latest`: what is derived from it follows.
FOLLOWERS: list[Callable[[Vector], None]] = []

SCORERS = ("", "demo")
SUITE_MEDIA_TYPE = "application/json"


def base_model_register(
    *, path: Path, name: str, scorer: str = "", suite: bytes = b""
) -> tuple[BaseModelRevision, bool]:
    """Fingerprint a model folder and register it; the same content again updates what is said of it.

    Args:
        path: a local folder in the Hugging Face layout.
        name: `owner/name`, for people.
        scorer: which exact scorer belongs to this model: `demo`, or empty for none.
        suite: a file of prompts and questions to measure with; empty leaves the one that is there.
    Returns:
        The row, and whether it is new.
    Raises:
        ModelError: the folder is incomplete or unsafe to load.
        EvaluationError: the suite breaks docs/suites.md.
        InvalidError: the name or the scorer is not valid, or the scorer brings a suite of its own.
        BlobStoreError, BlobCorruptError: the store is out of reach or changes bytes.
    """
    owner, _, rest = name.partition("/")
    check_slug(owner, what="name")
    check_slug(rest, what="name")
    if scorer not in SCORERS:
        raise InvalidError(
            f"scorer {scorer!r} is not known; choose 'demo' or none", code="base_model.scorer_unknown"
        )
    chosen: dict[str, Any] = {"name": name, "path": str(path.resolve()), "scorer": scorer}
    if scorer or suite:
        chosen["suite"] = _suite_blob(scorer, suite)
    found = model_fingerprint(path)
    row, is_new = BaseModelRevision.objects.update_or_create(
        model_hash=found.model_hash,
        defaults=chosen,
        create_defaults={
            **chosen,
            "architecture": found.architecture,
            "n_layers": found.n_layers,
            "d_model": found.d_model,
            "max_positions": found.max_positions,
            "files": found.files,
        },
    )
    logger.info("base model registered", extra={"model_hash": row.model_hash, "is_new": is_new})
    return row, is_new


@dataclass(frozen=True, slots=True)
class Draft:
    """What a run is to make.

    Attributes:
        name: of the vector, `owner/name` or a name in the actor's own namespace; made when it is new.
        migrated_from: the version that is moved to this base model, which has a file; None for an extraction.
    """

    name: str
    base_model: BaseModelRevision
    dataset_version: DatasetVersion
    spec: ExtractionSpec
    migrated_from: VectorVersion | None = None

    @property
    def spec_json(self) -> dict[str, Any]:
        """The spec, with the digest of the file that is moved."""
        moved = {"migrated_from": self.migrated_from.digest} if self.migrated_from else {}
        return {**self.spec.to_json(), **moved}


def version_draft(*, actor: User, draft: Draft) -> VectorVersion:
    """A draft version for a run to fill, making the vector when it is new. To be called in the run's
    transaction.

    Raises:
        InvalidError: the name is not valid.
        NotFoundError, NotAllowedError: it is not the actor's to write.
    """
    owner, name = split_name(actor, draft.name, what="vector")
    vector = Vector.objects.filter(visible_to(actor), owner__slug=owner, name=name).first()
    if vector is None:
        vector, _ = Vector.objects.get_or_create(owner=namespace_for(actor, owner), name=name)
    require(actor, Role.WRITER, vector)
    return VectorVersion.objects.create(
        vector=vector,
        base_model=draft.base_model,
        dataset_version=draft.dataset_version,
        migrated_from=draft.migrated_from,
        spec=draft.spec_json,
        spec_digest=digest(canonical_json(draft.spec_json)),
    )


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


def version_fail(*, version: VectorVersion) -> None:
    """Mark a draft whose run ended without a result."""
    transition(version, to=VersionState.FAILED, allowed=TRANSITIONS)


def version_publish(
    *,
    actor: User,
    name: str,
    version: str,
    license: str,
    owner: str = "",
    draft_id: str = "",
    visibility: str = "",
) -> VectorVersion:
    """Freeze an extracted version under a name for good.

    Args:
        version: MAJOR.MINOR.PATCH, never used before for this vector.
        license: an SPDX identifier of `catalog.states.License`.
        owner: the namespace of the vector; empty means the actor's own.
        draft_id: which extracted version; empty means the newest one.
        visibility: `public` shows the vector to everybody; empty leaves it as it is.
    Raises:
        NotFoundError: there is no such vector or draft for the actor.
        NotAllowedError: it is not the actor's to publish.
        InvalidError: the version string or the visibility is not valid, or the publish checklist has a
            complaint.
        ConflictError: the version is taken.
    """
    check_version(version)
    vector = vector_to_change(actor, owner, name)
    row = _extracted_version(vector, draft_id)
    shown = checked_visibility(visibility, vector.owner) if visibility else vector.visibility
    problems = publish_problems(row, PublishWish(license, shown))
    if problems:
        raise InvalidError(
            f"{row.vector} cannot be published: {'; '.join(problems)}", code="version.not_publishable"
        )
    with transaction.atomic():
        version_freeze(actor=actor, version=row, name=version, license=license, visibility=visibility)
    return row


def version_freeze(
    *, actor: User, version: VectorVersion, name: str, license: str, visibility: str = ""
) -> None:
    """The last step of publishing, inside the caller's transaction; the checklist has been run before, but
    for what the safety screen allows, which the vector's lock must guard.

    Raises:
        ConflictError: the version name is taken.
        InvalidError: the safety gate of the report refuses it.
        IllegalTransitionError: the version is not extracted.
    """
    vector = _locked(version.vector_id)
    _check_version_is_free(vector, name)
    if visibility:
        vector.visibility = checked_visibility(visibility, vector.owner)
    if problem := screening_problem(version.report, vector.visibility):
        raise InvalidError(f"{vector} cannot be published: {problem}", code="version.not_publishable")
    transition(
        version,
        to=VersionState.PUBLISHED,
        allowed=TRANSITIONS,
        version=name,
        license=license,
        published_at=timezone.now(),
    )
    _latest_refresh(vector)
    _record("version.published", version, actor, digest=version.digest, verdict=version.verdict)
    logger.info("version published", extra={"vector_version_id": version.pk})


def version_yank(*, actor: User, name: str, version: str, reason: str, owner: str = "") -> VectorVersion:
    """Withdraw a published version: it leaves `latest` and the catalog; an exact pin still resolves,
    with the reason.

    Raises:
        NotFoundError, NotAllowedError: there is no such version for the actor, or it is not theirs to yank.
        InvalidError: no reason is given.
        IllegalTransitionError: it is not published.
    """
    if not reason.strip():
        raise InvalidError(
            "say why, in a sentence: whoever pinned this version will read it", code="yank.no_reason"
        )
    row = _released_version(vector_to_change(actor, owner, name), version)
    with transaction.atomic():
        vector = _locked(row.vector_id)
        transition(
            row,
            to=VersionState.YANKED,
            allowed=TRANSITIONS,
            yanked_at=timezone.now(),
            yank_reason=reason.strip()[:500],
        )
        _latest_refresh(vector)
        _record("version.yanked", row, actor, reason=row.yank_reason)
    return row


def version_unyank(*, actor: User, name: str, version: str, owner: str = "") -> VectorVersion:
    """Take a yank back.

    Raises:
        NotFoundError, NotAllowedError: there is no such version for the actor, or it is not theirs to change.
        IllegalTransitionError: it is not yanked.
    """
    row = _released_version(vector_to_change(actor, owner, name), version)
    with transaction.atomic():
        vector = _locked(row.vector_id)
        transition(row, to=VersionState.PUBLISHED, allowed=TRANSITIONS, yanked_at=None, yank_reason="")
        _latest_refresh(vector)
        _record("version.unyanked", row, actor)
    return row


def vector_update(*, actor: User, name: str, owner: str = "", **changes: str | None) -> Vector:
    """Change the words around a vector; its versions stay as they are.

    Args:
        changes: of `title`, `description`, `trait`, `language` and `visibility` those that are not None.
    Raises:
        NotFoundError, NotAllowedError: there is no such vector for the actor, or it is not theirs to change.
        InvalidError: a text is too long, the visibility is unknown, or it may not be public: a released
            version of it was not screened for safety.
    """
    found = vector_to_change(actor, owner, name)
    with transaction.atomic():
        # Locked, so that no version is released between the check of all and the change.
        vector = _locked(found.pk)
        # Only what was sent: a new title must not undo somebody's simultaneous change to private.
        changed = _changed(vector, changes)
        vector.save(update_fields=changed)
        if changed:
            _vector_changed(vector)
            record(
                "vector.updated",
                subject=vector,
                namespace=vector.owner,
                actor=actor,
                is_public=vector.visibility == Visibility.PUBLIC,
                fields=changed,
            )
    return vector


def vector_to_change(actor: User, owner: str, name: str, least: Role = Role.WRITER) -> Vector:
    """A vector on which the actor has this role; an empty owner means their own namespace.

    Raises:
        NotFoundError: there is none for them.
        NotAllowedError: they see it and lack the role.
    """
    owner = owner or actor.username
    row = (
        Vector.objects.filter(visible_to(actor), owner__slug=owner, name=name).select_related("owner").first()
    )
    if row is None:
        raise NotFoundError(f"there is no vector {owner}/{name}", code="vector.not_found")
    require(actor, least, row)
    return row


def check_publish_request(*, actor: User, name: str, version: str, license: str, visibility: str) -> None:
    """Refuse a publish wish that could not be met, before a run spends time on it.

    Raises:
        InvalidError: the version, licence or visibility is not valid.
        ConflictError: the version name is taken.
    """
    check_version(version)
    if license not in License.values:
        raise InvalidError(
            f"licence {license!r} is not one of {', '.join(License.values)}",
            code="license.invalid",
            fields={"license": "unknown"},
        )
    owner, name = split_name(actor, name, what="vector")
    if visibility:
        checked_visibility(visibility, namespace_for(actor, owner))
    if vector := Vector.objects.filter(owner__slug=owner, name=name).select_related("owner").first():
        _check_version_is_free(vector, version)


def _suite_blob(scorer: str, suite: bytes) -> Blob | None:
    """The suite as a blob in its canonical form, whose digest is the one that reports name."""
    if scorer and suite:
        raise InvalidError(
            f"scorer {scorer!r} brings a suite of its own; leave one of the two out",
            code="base_model.suite_unused",
        )
    return blob_put(data=write_suite(read_suite(suite)), media_type=SUITE_MEDIA_TYPE) if suite else None


def _locked(vector_id: Any) -> Vector:
    return Vector.objects.select_for_update(of=("self",)).select_related("owner").get(pk=vector_id)


def _extracted_version(vector: Vector, draft_id: str) -> VectorVersion:
    rows = (
        vector.versions.filter(pk=row_id(draft_id))
        if draft_id
        else vector.versions.filter(state=VersionState.EXTRACTED)
    )
    row = rows.select_related("vector__owner", "artifact").order_by("-created_at").first()
    if row is None:
        raise NotFoundError(
            f"{vector} has no extracted, unpublished version; start an extraction first",
            code="version.not_found",
        )
    return row


def _released_version(vector: Vector, version: str) -> VectorVersion:
    rows = vector.versions.filter(version=version, state__in=RELEASED)
    row = rows.select_related("vector__owner", "artifact").first()
    if row is None:
        raise NotFoundError(f"{vector} has no published version {version}", code="version.not_found")
    return row


def _record(action: str, version: VectorVersion, actor: User, **data: Any) -> None:
    vector = version.vector
    is_public = vector.visibility == Visibility.PUBLIC
    record(action, subject=version, namespace=vector.owner, actor=actor, is_public=is_public, **data)


_LIMITS = {"title": 120, "description": 4000, "trait": 64, "language": 20}


def _changed(vector: Vector, changes: dict[str, str | None]) -> list[str]:
    """Set the fields that were sent, and name them."""
    changed = []
    for field, value in changes.items():
        if value is None:
            continue
        if field == "visibility":
            if checked_visibility(value, vector.owner) in OPEN and vector.visibility not in OPEN:
                _check_all_are_screened(vector)
        elif len(value) > _LIMITS[field]:
            raise InvalidError(
                f"the {field} has {len(value)} characters; {_LIMITS[field]} are allowed",
                code="text.too_long",
            )
        setattr(vector, field, value.strip())
        changed.append(field)
    return changed


def _check_all_are_screened(vector: Vector) -> None:
    """What is yanked counts: whoever knows its name still gets it."""
    for row in vector.versions.filter(state__in=RELEASED).order_by("-published_at"):
        if problem := screening_problem(row.report, Visibility.PUBLIC):
            raise InvalidError(
                f"{vector} cannot be public: of version {row.version} the report says that {problem}",
                code="visibility.not_screened",
                fields={"visibility": "not screened"},
            )


def _check_version_is_free(vector: Vector, version: str) -> None:
    if vector.versions.filter(version=version).exists():
        raise ConflictError(
            f"{vector}@{version} exists and versions are never reused; choose a higher one",
            code="version.taken",
        )


def _latest_refresh(vector: Vector) -> None:
    """Point `latest` at the highest published version; the caller holds the vector's lock."""
    published = vector.versions.filter(state=VersionState.PUBLISHED)
    vector.latest = max(published, key=lambda row: version_key(row.version or "0.0.0"), default=None)
    vector.save(update_fields=["latest", "visibility"])
    _vector_changed(vector)


def _vector_changed(vector: Vector) -> None:
    for follow in FOLLOWERS:
        follow(vector)
