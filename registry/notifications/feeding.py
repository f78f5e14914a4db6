"""From the log to what people are told: each event, in its own transaction, tells whom it concerns.

A new sentence is one function in `TOLD`. What an event does not say is looked up here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from allauth.account.models import EmailAddress

from registry.accounts.models import Membership, User
from registry.accounts.roles import Role, at_least
from registry.audit.models import AuditEvent
from registry.notifications.models import Kind
from registry.notifications.services import notify
from registry.runs.models import Run

# In an organisation with many admins the first of them are told.
MOST_ADMINS = 50


@dataclass(frozen=True, slots=True)
class Telling:
    """Whom to tell what, and where it leads."""

    recipients: Iterable[User]
    kind: Kind
    text: str
    link: str


def event_follow(event: AuditEvent) -> None:
    """Tell whom an event concerns; whoever did it knows already."""
    find = TOLD.get(event.action)
    told = find(event) if find else None
    if told is None:
        return
    people = {user.pk: user for user in told.recipients if user.is_active and user.username != event.actor}
    notify(recipients=list(people.values()), kind=told.kind, text=told.text, link=told.link)


def _run_ended(event: AuditEvent) -> Telling | None:
    run = Run.objects.select_related("owner").filter(pk=event.subject).first()
    if run is None:
        return None
    name = event.data.get("vector") or event.data.get("preset") or "Your run"
    link = f"/runs/{run.pk}"
    if event.action == "run.succeeded":
        verdict = event.data.get("verdict") or "not measured"
        what = "is measured" if run.preset_version_id else "is ready"
        return Telling([run.owner], Kind.RUN_SUCCEEDED, f"{name} {what}: verdict {verdict}", link)
    how = "ran out of time" if event.action == "run.timed_out" else "failed"
    return Telling([run.owner], Kind.RUN_FAILED, f"The run for {name} {how}; its page says what to do", link)


def _invited(event: AuditEvent) -> Telling:
    """Only those are told who have shown that the address is theirs. The link of the invitation is a secret
    that only the mail has.
    """
    verified = EmailAddress.objects.filter(email__iexact=event.subject, verified=True).select_related("user")
    text = (
        f"{event.actor} invites you to {event.namespace} as {event.data.get('role', 'member')}; the link "
        f"that accepts it is in the mail to {event.subject}"
    )
    return Telling([row.user for row in verified], Kind.INVITATION, text, f"/{event.namespace}")


def _joined(event: AuditEvent) -> Telling:
    inviter = User.objects.filter(username=event.data.get("invited_by", ""))
    text = f"{event.subject} has joined {event.namespace} as {event.data.get('role', 'member')}"
    return Telling(inviter, Kind.MEMBERSHIP, text, f"/{event.namespace}")


def _role_changed(event: AuditEvent) -> Telling:
    text = f"Your role in {event.namespace} is now {event.data.get('role', 'another one')}"
    return Telling(_named(event.subject), Kind.MEMBERSHIP, text, f"/{event.namespace}")


def _removed(event: AuditEvent) -> Telling:
    text = f"You are no longer a member of {event.namespace}"
    return Telling(_named(event.subject), Kind.MEMBERSHIP, text, f"/{event.namespace}")


def _transferred(event: AuditEvent) -> Telling | None:
    """It is logged where it was and where it is; those where it is are told."""
    if not event.subject.startswith(f"{event.namespace}/"):
        return None
    noun = event.action.partition(".")[0]
    prefix = {"dataset": "/datasets", "preset": "/presets"}.get(noun, "")
    before = event.data.get("before", "something")
    text = f"{event.actor} transferred {before} to {event.namespace}: it is {event.subject} now"
    return Telling(_admins(event.namespace), Kind.TRANSFER, text, f"{prefix}/{event.subject}")


def _access_asked(event: AuditEvent) -> Telling:
    text = f"{event.data.get('user', event.actor)} asks for the files of {event.subject}"
    return Telling(_admins(event.namespace), Kind.ACCESS, text, f"/{event.subject}")


def _access_answered(event: AuditEvent) -> Telling:
    answer = event.action.partition(".")[2]
    reason = f": {event.data['reason']}" if event.data.get("reason") else ""
    text = f"Your request for the files of {event.subject} is {answer}{reason}"
    return Telling(_named(str(event.data.get("user", ""))), Kind.ACCESS, text, f"/{event.subject}")


def _token_leaked(event: AuditEvent) -> Telling | None:
    if event.data.get("reason") != "leaked":
        return None
    text = f"Your token {event.subject}… was found in public and revoked; make a new one where it was used"
    return Telling(_named(event.namespace), Kind.SECURITY, text, "/settings/tokens/")


def _webhook_off(event: AuditEvent) -> Telling:
    text = f"A webhook of {event.namespace} was switched off ({event.data.get('reason', 'no reason given')})"
    return Telling(_admins(event.namespace), Kind.SECURITY, text, f"/{event.namespace}")


def _named(username: str) -> Iterable[User]:
    return User.objects.filter(username=username)


def _admins(slug: str) -> list[User]:
    rows = Membership.objects.filter(namespace__slug=slug, role__in=at_least(Role.ADMIN))
    return [row.user for row in rows.select_related("user")[:MOST_ADMINS]]


TOLD: dict[str, Callable[[AuditEvent], Telling | None]] = {
    "run.succeeded": _run_ended,
    "run.failed": _run_ended,
    "run.timed_out": _run_ended,
    "invitation.created": _invited,
    "member.joined": _joined,
    "member.role_changed": _role_changed,
    "member.removed": _removed,
    "vector.transferred": _transferred,
    "dataset.transferred": _transferred,
    "preset.transferred": _transferred,
    "access.requested": _access_asked,
    "access.granted": _access_answered,
    "access.denied": _access_answered,
    "access.revoked": _access_answered,
    "token.revoked": _token_leaked,
    "webhook.disabled": _webhook_off,
}
