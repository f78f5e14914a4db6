"""Register base models; draft, publish and yank vector versions."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.accounts.models import User
from registry.catalog.models import BaseModelRevision, Vector, VectorVersion
from registry.catalog.publishing import PublishWish, publish_problems
from registry.catalog.screening import screening_problem
from registry.catalog.states import RELEASED, TRANSITIONS, License, VersionState
from registry.core.errors import ConflictError, InvalidError, NotFoundError
from registry.core.naming import check_slug, check_version, row_id, version_key
from registry.core.state import transition
from registry.core.visibility import Visibility
from registry.datasets.models import DatasetVersion
from registry.storage.models import Blob
from registry.storage.services import blob_put
from steering_core.evaluation.suite import read_suite, write_suite
from steering_core.models.fingerprint import model_fingerprint
from steering_core.spec import ExtractionSpec, canonical_json, digest

logger = logging.getLogger(__name__)

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
        name: of the vector; made when it is new.
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


def version_draft(*, owner: User, draft: Draft) -> VectorVersion:
    """A draft version for a run to fill, making the vector when it is new. To be called in the run's
    transaction.

    Raises:
        InvalidError: the name is not a slug.
    """
    check_slug(draft.name, what="vector")
    vector, _ = Vector.objects.get_or_create(owner=owner, name=draft.name)
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
    *, owner: User, name: str, version: str, license: str, draft_id: str = "", visibility: str = ""
) -> VectorVersion:
    """Freeze an extracted version under a name for good.

    Args:
        version: MAJOR.MINOR.PATCH, never used before for this vector.
        license: an SPDX identifier of `catalog.states.License`.
        draft_id: which extracted version; empty means the newest one.
        visibility: `public` shows the vector to everybody; empty leaves it as it is.
    Raises:
        NotFoundError: the owner has no such vector or draft.
        InvalidError: the version string or the visibility is not valid, or the publish checklist has a
            complaint.
        ConflictError: the version is taken.
    """
    check_version(version)
    row = _extracted_version(owner=owner, name=name, draft_id=draft_id)
    shown = _checked_visibility(visibility) if visibility else row.vector.visibility
    problems = publish_problems(row, PublishWish(license, shown))
    if problems:
        raise InvalidError(
            f"{row.vector} cannot be published: {'; '.join(problems)}", code="version.not_publishable"
        )
    with transaction.atomic():
        version_freeze(version=row, name=version, license=license, visibility=visibility)
    return row


def version_freeze(*, version: VectorVersion, name: str, license: str, visibility: str = "") -> None:
    """The last step of publishing, inside the caller's transaction; the checklist has been run before, but
    for what the safety screen allows, which the vector's lock must guard.

    Raises:
        ConflictError: the version name is taken.
        InvalidError: the safety gate of the report refuses it.
        IllegalTransitionError: the version is not extracted.
    """
    vector = Vector.objects.select_for_update().get(pk=version.vector_id)
    _check_version_is_free(vector, name)
    if visibility:
        vector.visibility = _checked_visibility(visibility)
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
    logger.info("version published", extra={"vector_version_id": version.pk})


def version_yank(*, owner: User, name: str, version: str, reason: str) -> VectorVersion:
    """Withdraw a published version: it leaves `latest` and the catalog; an exact pin still resolves,
    with the reason.

    Raises:
        NotFoundError: the owner has no such version.
        InvalidError: no reason is given.
        IllegalTransitionError: it is not published.
    """
    if not reason.strip():
        raise InvalidError(
            "say why, in a sentence: whoever pinned this version will read it", code="yank.no_reason"
        )
    row = _released_version(owner=owner, name=name, version=version)
    with transaction.atomic():
        vector = Vector.objects.select_for_update().get(pk=row.vector_id)
        transition(
            row,
            to=VersionState.YANKED,
            allowed=TRANSITIONS,
            yanked_at=timezone.now(),
            yank_reason=reason.strip()[:500],
        )
        _latest_refresh(vector)
    return row


def version_unyank(*, owner: User, name: str, version: str) -> VectorVersion:
    """Take a yank back.

    Raises:
        NotFoundError: the owner has no such version.
        IllegalTransitionError: it is not yanked.
    """
    row = _released_version(owner=owner, name=name, version=version)
    with transaction.atomic():
        vector = Vector.objects.select_for_update().get(pk=row.vector_id)
        transition(row, to=VersionState.PUBLISHED, allowed=TRANSITIONS, yanked_at=None, yank_reason="")
        _latest_refresh(vector)
    return row


def vector_update(
    *,
    owner: User,
    name: str,
    title: str | None = None,
    description: str | None = None,
    visibility: str | None = None,
) -> Vector:
    """Change the words around a vector; its versions stay as they are.

    Raises:
        NotFoundError: the owner has no such vector.
        InvalidError: a text is too long, the visibility is unknown, or it may not be public: a released
            version of it was not screened for safety.
    """
    with transaction.atomic():
        # Locked, so that no version is released between the check of all and the change.
        vector = Vector.objects.select_for_update().filter(owner=owner, name=name).first()
        if vector is None:
            raise NotFoundError(f"you have no vector {name!r}", code="vector.not_found")
        # Only what was sent: a new title must not undo somebody's simultaneous change to private.
        vector.save(update_fields=_changed(vector, title, description, visibility))
    return vector


def check_publish_request(*, owner: User, name: str, version: str, license: str, visibility: str) -> None:
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
    if visibility:
        _checked_visibility(visibility)
    if vector := Vector.objects.filter(owner=owner, name=name).select_related("owner").first():
        _check_version_is_free(vector, version)


def _suite_blob(scorer: str, suite: bytes) -> Blob | None:
    """The suite as a blob in its canonical form, whose digest is the one that reports name."""
    if scorer and suite:
        raise InvalidError(
            f"scorer {scorer!r} brings a suite of its own; leave one of the two out",
            code="base_model.suite_unused",
        )
    return blob_put(data=write_suite(read_suite(suite)), media_type=SUITE_MEDIA_TYPE) if suite else None


def _extracted_version(*, owner: User, name: str, draft_id: str) -> VectorVersion:
    rows = VectorVersion.objects.filter(vector__owner=owner, vector__name=name)
    rows = rows.filter(pk=row_id(draft_id)) if draft_id else rows.filter(state=VersionState.EXTRACTED)
    row = rows.select_related("vector__owner", "artifact").order_by("-created_at").first()
    if row is None:
        raise NotFoundError(
            f"you have no extracted, unpublished version of {name!r}; start an extraction first",
            code="version.not_found",
        )
    return row


def _released_version(*, owner: User, name: str, version: str) -> VectorVersion:
    row = (
        VectorVersion.objects.filter(
            vector__owner=owner, vector__name=name, version=version, state__in=RELEASED
        )
        .select_related("vector__owner", "artifact")
        .first()
    )
    if row is None:
        raise NotFoundError(f"you have published no version {version} of {name!r}", code="version.not_found")
    return row


def _changed(vector: Vector, title: str | None, description: str | None, visibility: str | None) -> list[str]:
    """Set the fields that were sent, and name them."""
    changed = []
    for field, value, limit in (("title", title, 120), ("description", description, 4000)):
        if value is not None:
            if len(value) > limit:
                raise InvalidError(
                    f"the {field} has {len(value)} characters; {limit} are allowed", code="text.too_long"
                )
            setattr(vector, field, value.strip())
            changed.append(field)
    if visibility is not None:
        if _checked_visibility(visibility) == Visibility.PUBLIC != vector.visibility:
            _check_all_are_screened(vector)
        vector.visibility = visibility
        changed.append("visibility")
    return changed


def _checked_visibility(visibility: str) -> str:
    if visibility not in Visibility.values:
        raise InvalidError(
            f"visibility {visibility!r} is not known; choose private or public", code="visibility.invalid"
        )
    return visibility


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
