"""Removal by operators, for the safety of others or because the law wants it. It is for good.

The row stays, so that its name and version are never given again and whoever pinned them reads why; the files
are served no more, to nobody.
"""

from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.accounts.models import User
from registry.catalog.lifecycle import checked_reason, deprecation, vector_say
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.notices import check_present
from registry.catalog.states import RELEASED, TRANSITIONS, RemovalKind, VersionState
from registry.catalog.vectors import (
    latest_refresh,
    vector_changed,
    vector_locked,
    vector_record,
    version_record,
)
from registry.core.errors import InvalidError, NotAllowedError
from registry.core.state import transition


def version_remove(*, actor: User, version: VectorVersion, kind: str, reason: str) -> None:
    """Take a released version away from everybody, its owner too.

    Args:
        kind: of `states.RemovalKind`.
        reason: shown to whoever could see it.
    Raises:
        NotAllowedError: the actor is not staff.
        InvalidError: the kind is unknown, or no reason is given.
        IllegalTransitionError: it is not released.
    """
    said = _said(actor, kind, reason)
    with transaction.atomic():
        vector = vector_locked(version.vector_id)
        _remove(version, vector, actor, said)
        latest_refresh(vector)


def vector_remove(*, actor: User, vector: Vector, kind: str, reason: str) -> None:
    """Take a vector away with all its versions, drafts included; as `version_remove`.

    Raises:
        NotAllowedError: the actor is not staff.
        InvalidError: the kind is unknown, or no reason is given.
        RemovedError: it is gone already.
    """
    said = _said(actor, kind, reason)
    with transaction.atomic():
        row = vector_locked(vector.pk)
        check_present(row)
        for version in row.versions.filter(state__in=RELEASED):
            _remove(version, row, actor, said)
        row.latest = None
        for field, value in said.items():
            setattr(row, field, value)
        row.save(update_fields=["latest", *said])
        vector_changed(row)
        vector_record("vector.removed", row, actor, kind=kind, reason=said["removal_reason"])


def vector_warn(*, actor: User, vector: Vector, reason: str) -> None:
    """Advise against a vector in its owner's place; they can take it back.

    Raises:
        NotAllowedError: the actor is not staff.
        InvalidError: no reason is given.
        RemovedError: it is gone already.
    """
    _check_staff(actor)
    vector_say(vector, actor, "vector.deprecated", deprecation(actor, reason, "", vector))


def copies_of(version: VectorVersion) -> list[VectorVersion]:
    """Other versions with the same file that are still served, whoever's: removal leaves them alone."""
    same = VectorVersion.objects.filter(artifact=version.artifact_id).exclude(pk=version.pk)
    return list(same.filter(state__in=RELEASED).select_related("vector__owner"))


def _remove(version: VectorVersion, vector: Vector, actor: User, said: dict[str, Any]) -> None:
    transition(version, to=VersionState.REMOVED, allowed=TRANSITIONS, **said)
    version.vector = vector
    kind, reason = said["removal_kind"], said["removal_reason"]
    version_record("version.removed", version, actor, kind=kind, reason=reason)


def _check_staff(actor: User) -> None:
    if not actor.is_staff:
        raise NotAllowedError("only operators remove what others published", code="removal.staff_only")


def _said(actor: User, kind: str, reason: str) -> dict[str, Any]:
    _check_staff(actor)
    if kind not in RemovalKind.values:
        raise InvalidError(
            f"kind {kind!r} is not one of {', '.join(RemovalKind.values)}",
            code="removal.kind_unknown",
            fields={"kind": "unknown"},
        )
    return {
        "removed_at": timezone.now(),
        "removal_kind": kind,
        "removal_reason": checked_reason(reason, code="removal.no_reason"),
    }
