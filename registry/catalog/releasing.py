"""Publish versions."""

import logging

from django.db import transaction
from django.utils import timezone

from registry.accounts.access import checked_visibility, namespace_for, split_name, visible_to
from registry.accounts.models import User
from registry.accounts.ownership import row_named
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.notices import check_present
from registry.catalog.publishing import PublishWish, publish_problems
from registry.catalog.screening import screening_problem
from registry.catalog.states import TRANSITIONS, License, VersionState
from registry.catalog.vectors import (
    checked_domain,
    latest_refresh,
    vector_locked,
    vector_to_change,
    version_file_follow,
    version_record,
)
from registry.core.errors import ConflictError, InvalidError, NotFoundError
from registry.core.naming import check_version, row_id
from registry.core.state import transition

logger = logging.getLogger(__name__)


def version_publish(
    *,
    actor: User,
    name: str,
    version: str,
    license: str,
    owner: str = "",
    draft_id: str = "",
    visibility: str = "",
    domain: str = "",
) -> VectorVersion:
    """Freeze an extracted version under a name for good.

    Args:
        version: MAJOR.MINOR.PATCH, never used before for this vector.
        license: an SPDX identifier of `catalog.states.License`.
        owner: the namespace of the vector; empty means the actor's own.
        draft_id: which extracted version; empty means the newest one.
        visibility: `public` shows the vector to everybody; empty leaves it as it is.
        domain: of `states.Domain`, where the catalog shows the vector; empty leaves it as it is.
    Raises:
        NotFoundError: there is no such vector or draft for the actor.
        NotAllowedError: it is not the actor's to publish.
        InvalidError: the version string, visibility or domain is not valid, or the publish checklist has a
            complaint.
        ConflictError: the version is taken.
    """
    check_version(version)
    vector = vector_to_change(actor, owner, name)
    # First of all, so that of many at once all but one are told the same, however late they come.
    _check_version_is_free(vector, version)
    row = _extracted_version(vector, draft_id)
    shown = checked_visibility(visibility, vector.owner) if visibility else vector.visibility
    checked_domain(domain)
    problems = publish_problems(row, PublishWish(license, shown))
    if problems:
        # The problem may be that this draft was published as this version just now.
        _check_version_is_free(vector, version)
        raise InvalidError(
            f"{row.vector} cannot be published: {'; '.join(problems)}", code="version.not_publishable"
        )
    version_file_follow(row)
    with transaction.atomic():
        version_freeze(
            actor=actor, version=row, name=version, license=license, visibility=visibility, domain=domain
        )
    return row


def version_freeze(
    *,
    actor: User,
    version: VectorVersion,
    name: str,
    license: str,
    visibility: str = "",
    domain: str = "",
) -> None:
    """The last step of publishing, inside the caller's transaction; the checklist has been run before, but
    for what the safety screen allows, which the vector's lock must guard.

    Raises:
        ConflictError: the version name is taken.
        InvalidError: the safety gate of the report refuses it.
        IllegalTransitionError: the version is not extracted.
        RemovedError: operators took the vector away.
    """
    vector = vector_locked(version.vector_id)
    check_present(vector)
    # The log asks it who may know.
    version.vector = vector
    _check_version_is_free(vector, name)
    if visibility:
        vector.visibility = checked_visibility(visibility, vector.owner)
    vector.domain = domain or vector.domain
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
    latest_refresh(vector)
    version_record("version.published", version, actor, digest=version.digest, verdict=version.verdict)
    logger.info("version published", extra={"vector_version_id": version.pk})


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
    vector = row_named(Vector.objects.filter(visible_to(actor)).select_related("owner"), owner, name)
    if visibility:
        checked_visibility(visibility, vector.owner if vector else namespace_for(actor, owner))
    if vector:
        _check_version_is_free(vector, version)


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


def _check_version_is_free(vector: Vector, version: str) -> None:
    if vector.versions.filter(version=version).exists():
        raise ConflictError(
            f"{vector}@{version} exists and versions are never reused; choose a higher one",
            code="version.taken",
        )
