"""What becomes of a released version: yank it, and take that back."""

from django.db import transaction
from django.utils import timezone

from registry.accounts.models import User
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.states import RELEASED, TRANSITIONS, VersionState
from registry.catalog.vectors import latest_refresh, vector_locked, vector_to_change, version_record
from registry.core.errors import InvalidError, NotFoundError
from registry.core.state import transition


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
    row = released_version(vector_to_change(actor, owner, name), version)
    with transaction.atomic():
        vector = vector_locked(row.vector_id)
        transition(
            row,
            to=VersionState.YANKED,
            allowed=TRANSITIONS,
            yanked_at=timezone.now(),
            yank_reason=reason.strip()[:500],
        )
        latest_refresh(vector)
        version_record("version.yanked", row, actor, reason=row.yank_reason)
    return row


def version_unyank(*, actor: User, name: str, version: str, owner: str = "") -> VectorVersion:
    """Take a yank back.

    Raises:
        NotFoundError, NotAllowedError: there is no such version for the actor, or it is not theirs to change.
        IllegalTransitionError: it is not yanked.
    """
    row = released_version(vector_to_change(actor, owner, name), version)
    with transaction.atomic():
        vector = vector_locked(row.vector_id)
        transition(row, to=VersionState.PUBLISHED, allowed=TRANSITIONS, yanked_at=None, yank_reason="")
        latest_refresh(vector)
        version_record("version.unyanked", row, actor)
    return row


def released_version(vector: Vector, version: str) -> VectorVersion:
    rows = vector.versions.filter(version=version, state__in=RELEASED)
    row = rows.select_related("vector__owner", "artifact").first()
    if row is None:
        raise NotFoundError(f"{vector} has no published version {version}", code="version.not_found")
    return row
