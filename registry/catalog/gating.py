"""Who may have the files of a vector that they see: open to all, gated until somebody is let in, or paid.

Requests for access are kept one for each user and vector; the audit log has their past. What sells vectors
registers in `ENTITLEMENTS`.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from registry.accounts.access import held_by, may, visible_to
from registry.accounts.models import User
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.catalog.models import AccessRequest, Vector
from registry.catalog.publishing import is_of_unknown_provenance
from registry.catalog.selectors import vector_get
from registry.catalog.states import RELEASED, REQUEST_TRANSITIONS, Access, AccessMode, RequestState
from registry.catalog.vectors import vector_changed, vector_locked, vector_record, vector_to_change
from registry.core.errors import ConflictError, InvalidError, NotAllowedError, NotFoundError, RegistryError
from registry.core.state import transition

# Each says which of these paid vectors a user has bought. While there is none, nothing can be paid for.
Entitlement = Callable[[Any, Sequence[Vector]], set[uuid.UUID]]
ENTITLEMENTS: list[Entitlement] = []

DECISIONS = ("granted", "denied", "revoked")
# What a viewer is told: `granted` is for those who may have the files of what is not open.
FILE_STATES = ("open", "granted", "gated", "paid")


@dataclass(frozen=True, slots=True)
class FileAccess:
    """What a viewer may have of a vector.

    Attributes:
        state: `open`, `granted` (gated or paid, and they may), `gated` or `paid` (they may not).
        request: the state of their request, or empty.
    """

    state: str
    request: str = ""


def access_states(viewer: Any, vectors: Iterable[Vector]) -> dict[uuid.UUID, FileAccess]:
    """What a viewer may have of each of these vectors, by id; two queries for any number, none if all are
    open.
    """
    rows = list(vectors)
    closed = [row for row in rows if row.access != Access.OPEN]
    if not closed:
        return {row.pk: FileAccess(Access.OPEN) for row in rows}
    requests = _requests(viewer, closed)
    inside = _let_in(viewer, closed, requests) | set(
        Vector.objects.filter(held_by(viewer, Role.READER), pk__in=[row.pk for row in closed]).values_list(
            "pk", flat=True
        )
    )
    return {
        row.pk: FileAccess("granted" if row.pk in inside else row.access, requests.get(row.pk, ""))
        for row in rows
    } | {row.pk: FileAccess(Access.OPEN) for row in rows if row.access == Access.OPEN}


def file_gate(viewer: Any, row: Any) -> RegistryError | None:
    """Why a viewer without a role on a vector may not have its files; None if they may, or for other rows."""
    if not isinstance(row, Vector) or row.access == Access.OPEN:
        return None
    if row.pk in _let_in(viewer, [row], _requests(viewer, [row])):
        return None
    return closed_error(row)


def closed_error(row: Vector) -> NotAllowedError:
    """What to say to those who may not have the files of a vector that is not open, and how they get in."""
    if row.access == Access.PAID:
        return NotAllowedError(
            f"{row} is for sale; buy it on {settings.PUBLIC_URL}/{row}, then ask with the same account",
            code="access.purchase_required",
            members={"purchase_url": f"{settings.PUBLIC_URL}/{row}"},
        )
    return NotAllowedError(
        f"{row} is gated; ask for access with POST {request_url(row)}, or on its page",
        code="access.gated",
        members={"request_url": request_url(row)},
    )


def request_url(vector: Vector) -> str:
    """Where access is asked for."""
    return f"{settings.PUBLIC_URL}/api/v1/vectors/{vector}/access-request"


def access_set(
    *, actor: User, owner: str, name: str, access: str, mode: str = AccessMode.MANUAL, terms: str = ""
) -> Vector:
    """Say who may have the files. Whoever was let in before stays so.

    Args:
        access: of `states.Access`; `paid` only where something sells.
        mode: of `states.AccessMode`, for gated ones.
        terms: what whoever asks has to accept; empty for nothing.
    Raises:
        NotFoundError, NotAllowedError: there is no such vector for the actor, or they are not an admin.
        InvalidError: a value is unknown, the terms are too long, or nothing can be sold here.
    """
    if access not in Access.values or mode not in AccessMode.values:
        raise InvalidError(
            f"access {access!r} with mode {mode!r} is not known; choose from {', '.join(Access.values)} and "
            f"{', '.join(AccessMode.values)}",
            code="access.invalid",
        )
    if access == Access.PAID and not ENTITLEMENTS:
        raise InvalidError("nothing is sold here; choose open or gated", code="access.paid_unavailable")
    if len(terms) > 4000:
        raise InvalidError(f"the terms have {len(terms)} characters; 4000 are allowed", code="text.too_long")
    found = vector_to_change(actor, owner, name, Role.ADMIN)
    with transaction.atomic():
        vector = vector_locked(found.pk)
        if access == Access.PAID:
            _check_may_be_sold(vector)
        vector.access, vector.access_mode, vector.access_terms = access, mode, terms.strip()
        vector.save(update_fields=["access", "access_mode", "access_terms"])
        vector_changed(vector)
        vector_record("vector.access_changed", vector, actor, access=access, mode=mode)
    return vector


def _check_may_be_sold(vector: Vector) -> None:
    released = vector.versions.filter(state__in=RELEASED)
    if row := next((row for row in released if is_of_unknown_provenance(row)), None):
        raise InvalidError(
            f"{vector} cannot be sold: version {row.version} goes back to an imported file, of unknown "
            "provenance",
            code="access.imported",
        )


def access_ask(
    *, actor: User, owner: str, name: str, message: str = "", accepts_terms: bool = False
) -> tuple[AccessRequest, bool]:
    """Ask for the files of a gated vector; where accepting the terms is enough, they are granted at once.

    Asking again changes nothing, but after taking it back.

    Returns:
        The request, and whether it was made now.
    Raises:
        NotFoundError: there is no such vector for the actor.
        ConflictError: it is not gated, or theirs to download anyway.
        InvalidError: they do not accept the terms.
        NotAllowedError: they were refused before.
    """
    found = vector_get(viewer=actor, owner=owner, name=name)
    with transaction.atomic():
        vector = vector_locked(found.pk)
        _check_askable(actor, vector, accepts_terms)
        row = AccessRequest.objects.filter(vector=vector, user=actor).first()
        if row and row.state in (RequestState.DENIED, RequestState.REVOKED):
            because = f": {row.reason}" if row.reason else ""
            raise NotAllowedError(
                f"access to {vector} was {row.state}{because}; its admins can grant it again",
                code="access.refused",
            )
        if row and row.state != RequestState.WITHDRAWN:
            return row, False
        row = row or AccessRequest(vector=vector, user=actor)
        is_auto = vector.access_mode == AccessMode.AUTO
        row.state = RequestState.GRANTED if is_auto else RequestState.REQUESTED
        row.message, row.reason, row.decided_by = message.strip()[:1000], "", ""
        row.decided_at = timezone.now() if is_auto else None
        terms = vector.access_terms.encode()
        row.terms_sha256 = hashlib.sha256(terms).hexdigest() if terms else ""
        row.save()
        _write_down(row, actor, terms=row.terms_sha256)
    return row, True


def access_withdraw(*, actor: User, owner: str, name: str) -> AccessRequest:
    """Take one's request back, or give up what was granted.

    Raises:
        NotFoundError: there is no such vector for the actor, or no request of theirs.
        IllegalTransitionError: it was refused.
    """
    row = access_request_get(viewer=actor, owner=owner, name=name)
    if row.state != RequestState.WITHDRAWN:
        _move(row, actor, RequestState.WITHDRAWN)
    return row


def access_decide(
    *, actor: User, owner: str, name: str, username: str, state: str, reason: str = ""
) -> AccessRequest:
    """Grant, deny or revoke; a refusal can be turned into a grant later.

    Args:
        reason: shown to whoever asked.
    Raises:
        NotFoundError, NotAllowedError: there is no such vector or request for the actor, or no role.
        InvalidError: the state is no decision.
        IllegalTransitionError: it may not follow the present state, such as a denial after a grant.
    """
    if state not in DECISIONS:
        raise InvalidError(
            f"{state!r} is no decision; choose granted, denied or revoked",
            code="access.decision_unknown",
            fields={"state": "unknown"},
        )
    vector = vector_to_change(actor, owner, name, Role.ADMIN)
    rows = AccessRequest.objects.filter(vector=vector, user__username=username)
    row = rows.select_related("vector__owner", "user").first()
    if row is None:
        raise NotFoundError(
            f"{username} has not asked for access to {vector}", code="access.request_not_found"
        )
    if row.state != state:
        said = {"decided_by": actor.username, "decided_at": timezone.now(), "reason": reason.strip()[:500]}
        _move(row, actor, state, **said)
    return row


def access_request_get(*, viewer: User, owner: str, name: str) -> AccessRequest:
    """One's own request.

    Raises:
        NotFoundError: there is no such vector for the viewer, or they have not asked.
    """
    vector = vector_get(viewer=viewer, owner=owner, name=name)
    row = (
        AccessRequest.objects.filter(vector=vector, user=viewer)
        .select_related("vector__owner", "user")
        .first()
    )
    if row is None:
        raise NotFoundError(f"you have not asked for access to {vector}", code="access.request_not_found")
    return row


def access_request_list(*, actor: User, owner: str, name: str, state: str = "") -> QuerySet[AccessRequest]:
    """Who asked for the files of a vector, newest first, for its admins.

    Raises:
        NotFoundError, NotAllowedError: there is no such vector for the actor, or they are not an admin.
    """
    vector = vector_to_change(actor, owner, name, Role.ADMIN)
    rows = AccessRequest.objects.filter(vector=vector).select_related("vector__owner", "user")
    return rows.filter(state=state) if state else rows


def access_requests_to_decide(*, actor: User) -> QuerySet[AccessRequest]:
    """What waits for a word of the actor, for all vectors that they are an admin of, newest first."""
    rows = AccessRequest.objects.filter(
        held_by(actor, Role.ADMIN, prefix="vector__"), state=RequestState.REQUESTED, vector__removed_at=None
    )
    return rows.select_related("vector__owner", "user")


def access_requests_of(*, user: User) -> QuerySet[AccessRequest]:
    """What somebody asked for themselves and still sees, newest first."""
    rows = AccessRequest.objects.filter(visible_to(user, prefix="vector__"), user=user)
    return rows.filter(vector__removed_at=None).select_related("vector__owner", "user")


def _requests(viewer: Any, vectors: Sequence[Vector]) -> dict[uuid.UUID, str]:
    """The state of a viewer's request for each of these, where there is one."""
    if not getattr(viewer, "is_authenticated", False):
        return {}
    rows = AccessRequest.objects.filter(user=viewer, vector__in=vectors)
    return dict(rows.values_list("vector_id", "state"))


def _let_in(viewer: Any, vectors: Sequence[Vector], requests: dict[uuid.UUID, str]) -> set[uuid.UUID]:
    """Those whose files somebody may have without a role: granted, or bought."""
    paid = [row for row in vectors if row.access == Access.PAID]
    gated = {row.pk for row in vectors if row.access == Access.GATED}
    granted = {pk for pk, state in requests.items() if state == RequestState.GRANTED}
    bought = [check(viewer, paid) for check in ENTITLEMENTS] if paid else []
    return (gated & granted).union(*bought)


def _check_askable(actor: User, vector: Vector, accepts_terms: bool) -> None:
    if vector.access != Access.GATED:
        raise ConflictError(f"{vector} is {vector.access}, not gated", code="access.not_gated")
    if may(actor, Role.READER, vector):
        raise ConflictError(
            f"you have a role on {vector}, so its files are yours to download", code="access.not_needed"
        )
    if vector.access_terms and not accepts_terms:
        raise InvalidError(
            f"the terms of {vector} have to be accepted; read them at {settings.PUBLIC_URL}/api/v1/vectors/"
            f"{vector}/access and send accepts_terms",
            code="access.terms_not_accepted",
            fields={"accepts_terms": "has to be true"},
        )


def _move(row: AccessRequest, actor: User, state: str, **said: Any) -> None:
    with transaction.atomic():
        transition(row, to=state, allowed=REQUEST_TRANSITIONS, **said)
        _write_down(row, actor, reason=row.reason)


def _write_down(row: AccessRequest, actor: User, **data: str) -> None:
    told: dict[str, Any] = {key: value for key, value in data.items() if value}
    record(
        f"access.{row.state}",
        subject=row.vector,
        namespace=row.vector.owner,
        actor=actor,
        user=row.user.get_username(),
        **told,
    )
