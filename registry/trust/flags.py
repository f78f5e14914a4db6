"""What staff should look at: reports by users, and what the service itself found. Read, open and decide.

Deciding does what is decided in the same transaction, by the services that operators have for it anyway.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from registry.accounts.access import Visibility
from registry.accounts.models import User
from registry.audit.services import record
from registry.catalog.lifecycle import checked_reason
from registry.catalog.models import VectorVersion
from registry.catalog.removal import vector_remove, vector_warn, version_remove
from registry.catalog.screening import GATE
from registry.catalog.selectors import vector_get
from registry.catalog.states import RELEASED, RemovalKind, Verdict, VersionState
from registry.core.errors import ConflictError, InvalidError, NotFoundError, QuotaExceededError
from registry.core.naming import row_id
from registry.datasets.models import Dataset
from registry.datasets.selectors import dataset_get
from registry.discovery.models import NearCopy
from registry.presets.models import Preset
from registry.presets.selectors import preset_get
from registry.trust.models import Flag

MAX_OPEN = 20
BATCH = 100
FINDERS: dict[str, Callable[..., Any]] = {"vector": vector_get, "preset": preset_get, "dataset": dataset_get}
_RELATED = ("reporter", "vector__owner", "preset__owner", "dataset__owner", "version__vector__owner")


@dataclass(frozen=True, slots=True)
class Decision:
    """What staff decided of a flag, and why, which whoever uses what is deprecated or removed reads.

    Attributes:
        outcome: of `Flag.Outcome`.
        removal: of `RemovalKind`, for `removed`.
    """

    outcome: str
    reason: str
    removal: str = RemovalKind.SAFETY


@transaction.atomic
def flag_open(*, actor: User, kind: str, owner: str, name: str, reason: str, text: str) -> tuple[Flag, bool]:
    """Report something that one sees; while one's report of it is open, again changes nothing.

    Args:
        kind: `vector`, `preset` or `dataset`.
        reason: of `Flag.Reason`, those for users.
        text: what is wrong, for staff alone.
    Returns:
        The flag, and whether it is new.
    Raises:
        NotFoundError: there is no such thing for the actor.
        InvalidError: the reason is unknown, or nothing is said.
        QuotaExceededError: too many reports of the actor are open.
    """
    if kind not in FINDERS:
        raise NotFoundError(f"there is no {kind!r} to report", code="flag.kind_unknown")
    row = FINDERS[kind](viewer=actor, owner=owner, name=name)
    if reason not in Flag.FOR_USERS:
        raise InvalidError(
            f"reason {reason!r} is not known; choose one of {', '.join(Flag.FOR_USERS)}",
            code="flag.reason_unknown",
            fields={"reason": "unknown"},
        )
    said = text.strip()
    if not 10 <= len(said) <= 2000:
        raise InvalidError(
            f"the text has {len(said)} characters; say what is wrong in 10 to 2000",
            code="flag.text_invalid",
            fields={"text": "10 to 2000 characters"},
        )
    # Locked, so that two at once do not pass the limit.
    User.objects.select_for_update().get(pk=actor.pk)
    own = Flag.objects.filter(reporter=actor, state=Flag.State.OPEN)
    if known := own.filter(**{kind: row}).first():
        return known, False
    if own.count() >= MAX_OPEN:
        raise QuotaExceededError(f"{MAX_OPEN} of your reports wait for an answer", code="flag.quota")
    flag = Flag.objects.create(reporter=actor, reason=reason, text=said, **{kind: row})
    # In the reporter's log alone: the owner learns what is decided, not who spoke.
    record("flag.opened", subject=row, namespace=actor.username, actor=actor, reason=reason)
    return flag, True


def flag_list(*, actor: User, state: str = Flag.State.OPEN, reason: str = "") -> QuerySet[Flag]:
    """The queue, newest first, for staff.

    Raises:
        NotFoundError: the actor is not staff.
    """
    _check_staff(actor)
    rows = Flag.objects.filter(state=state).select_related(*_RELATED, "source__vector__owner")
    return rows.filter(reason=reason) if reason else rows


def flag_get(*, actor: User, flag_id: str) -> Flag:
    """One flag, for staff.

    Raises:
        NotFoundError: the actor is not staff, or there is no such flag.
    """
    _check_staff(actor)
    return _one(Flag.objects.select_related(*_RELATED, "source__vector__owner"), flag_id)


@transaction.atomic
def flag_decide(*, actor: User, flag_id: str, decision: Decision) -> Flag:
    """Dismiss a flag, or deprecate, hide or take down what it is about, and close it; or let the owner show
    again what was hidden.

    Raises:
        NotFoundError: the actor is not staff, or there is no such flag.
        ConflictError: it was decided before, for good.
        InvalidError: no reason, or an outcome that this has not.
        RemovedError: what it is about is gone already.
    """
    _check_staff(actor)
    flag = _one(Flag.objects.select_for_update(of=("self",)).select_related(*_RELATED), flag_id)
    possible = outcomes_of(flag)
    if not possible:
        raise ConflictError(f"{flag.decided_by} decided this before: {flag.outcome}", code="flag.decided")
    said = checked_reason(decision.reason, code="flag.no_reason")
    if decision.outcome not in possible:
        raise InvalidError(
            f"{decision.outcome!r} cannot be decided here; choose one of {', '.join(possible)}",
            code="flag.outcome_unknown",
            fields={"outcome": "unknown"},
        )
    _do(actor, flag, decision, said)
    flag.state, flag.outcome, flag.decision_reason = Flag.State.DECIDED, decision.outcome, said
    flag.decided_by, flag.decided_at = actor.username, timezone.now()
    flag.save()
    record(
        "flag.decided",
        subject=flag.subject,
        namespace=flag.subject_owner,
        actor=actor,
        decision=decision.outcome,
        reason=said,
    )
    return flag


def outcomes_of(flag: Flag) -> list[str]:
    """What can be decided: presets and data sets have no removal, so they are made private until staff decide
    otherwise. All other decisions are for good.
    """
    if flag.state == Flag.State.DECIDED:
        return [Flag.Outcome.UNHIDDEN] if flag.outcome == Flag.Outcome.HIDDEN else []
    if flag.vector or (flag.version and flag.version.state in RELEASED):
        return [Flag.Outcome.DISMISSED, Flag.Outcome.DEPRECATED, Flag.Outcome.REMOVED]
    if flag.version:
        return [Flag.Outcome.DISMISSED]
    return [Flag.Outcome.DISMISSED, Flag.Outcome.HIDDEN]


def flags_find() -> int:
    """Open flags for what the service found by itself: copies of others' vectors, and drafts that fail the
    safety screen; how many.
    """
    return _find_copies() + _find_unsafe()


def _find_copies() -> int:
    known = Flag.objects.filter(version=OuterRef("version"), source=OuterRef("source"))
    rows = NearCopy.objects.filter(~Exists(known), version__state__in=RELEASED)
    rows = rows.exclude(version__vector__owner=F("source__vector__owner"))
    made = [
        Flag(
            reason=Flag.Reason.FLIPPED if row.cosine < 0 else Flag.Reason.COPY,
            version_id=row.version_id,
            source_id=row.source_id,
            text=f"cosine {row.cosine:.4f}",
        )
        for row in rows.order_by("pk")[:BATCH]
    ]
    return len(Flag.objects.bulk_create(made, ignore_conflicts=True))


def _find_unsafe() -> int:
    known = Flag.objects.filter(version=OuterRef("pk"), reason=Flag.Reason.UNSAFE)
    rows = VectorVersion.objects.filter(
        ~Exists(known),
        state=VersionState.EXTRACTED,
        verdict=Verdict.FAIL,
        report__gates__contains=[{"name": GATE, "verdict": Verdict.FAIL}],
    )
    made = [
        Flag(reason=Flag.Reason.UNSAFE, version_id=pk, text="fails the safety screen; it cannot be published")
        for pk in rows.order_by("created_at").values_list("pk", flat=True)[:BATCH]
    ]
    return len(Flag.objects.bulk_create(made, ignore_conflicts=True))


def _one(rows: QuerySet[Flag], flag_id: str) -> Flag:
    flag = rows.filter(pk=row_id(flag_id)).first()
    if flag is None:
        raise NotFoundError("there is no such report", code="flag.not_found")
    return flag


def _do(actor: User, flag: Flag, decision: Decision, said: str) -> None:
    if decision.outcome == Flag.Outcome.DISMISSED:
        return
    if row := flag.preset or flag.dataset:
        return _hide(actor, row, said if decision.outcome == Flag.Outcome.HIDDEN else "")
    vector = flag.vector or (flag.version.vector if flag.version else None)
    if vector is None:
        return
    if decision.outcome == Flag.Outcome.DEPRECATED:
        vector_warn(actor=actor, vector=vector, reason=said)
    elif flag.version:
        version_remove(actor=actor, version=flag.version, kind=decision.removal, reason=said)
    else:
        vector_remove(actor=actor, vector=vector, kind=decision.removal, reason=said)


def _hide(actor: User, row: Preset | Dataset, said: str) -> None:
    """Make it private and keep it so; without a reason it stays private until its owner shows it."""
    row.visibility, row.hidden_reason = Visibility.PRIVATE, said
    row.save(update_fields=["visibility", "hidden_reason"])
    if said:
        action = f"{row._meta.model_name}.made_private"
        record(action, subject=row, namespace=row.owner, actor=actor, reason=said)


def _check_staff(actor: User) -> None:
    """The queue does not exist for others."""
    if not (actor.is_authenticated and actor.is_active and actor.is_staff):
        raise NotFoundError("there is nothing here", code="request.not_found")
