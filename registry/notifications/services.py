"""Tell people something, mark it read, and say what one wants to be told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from registry.accounts.models import User
from registry.audit.services import record
from registry.core.errors import InvalidError, NotFoundError
from registry.core.naming import row_id
from registry.notifications.models import ALWAYS_TOLD, Kind, Notification, Preference


@dataclass(frozen=True, slots=True)
class Wishes:
    """What somebody wants: kinds that are shown, and kinds that come by mail too."""

    shown: tuple[str, ...]
    mailed: tuple[str, ...]


def notify(*, recipients: Sequence[User], kind: Kind, text: str, link: str) -> int:
    """Tell people something, as far as they want to be told; how many were. Call it in the transaction of the
    change that it is about.

    Args:
        link: a path of this service.
    """
    wishes = {row.user_id: row for row in Preference.objects.filter(user__in=recipients)}
    now = timezone.now()
    rows = []
    for user in recipients:
        wish = wishes.get(user.pk)
        if wish and kind in wish.muted and kind not in ALWAYS_TOLD:
            continue
        mail_due_at = now if wish and kind in wish.mailed else None
        rows.append(
            Notification(recipient=user, kind=kind, text=text[:300], link=link[:300], mail_due_at=mail_due_at)
        )
    return len(Notification.objects.bulk_create(rows))


def notification_read(*, actor: User, notification_id: str) -> Notification:
    """Mark one as read; doing it twice is no error.

    Raises:
        NotFoundError: there is no such one of the actor's.
    """
    row = Notification.objects.filter(recipient=actor, pk=row_id(notification_id)).first()
    if row is None:
        raise NotFoundError("there is no such notification of yours", code="notification.not_found")
    if row.read_at is None:
        row.read_at = timezone.now()
        row.save(update_fields=["read_at"])
    return row


def notifications_read_all(*, actor: User) -> int:
    """Mark all as read; how many were not."""
    return Notification.objects.filter(recipient=actor, read_at=None).update(read_at=timezone.now())


def wishes_set(*, actor: User, shown: Iterable[str], mailed: Iterable[str]) -> Wishes:
    """Say what to be told, and what by mail too. What is not shown is not mailed either.

    Raises:
        InvalidError: a kind is not known.
    """
    shown, mailed = set(shown) | set(ALWAYS_TOLD), set(mailed)
    if unknown := sorted((shown | mailed) - set(Kind.values)):
        raise InvalidError(
            f"{unknown[0]!r} is no kind of notification; expected some of {', '.join(Kind.values)}",
            code="notification.kind_unknown",
            fields={"shown": "unknown kind"},
        )
    muted = [kind for kind in Kind.values if kind not in shown]
    by_mail = [kind for kind in Kind.values if kind in mailed & shown]
    with transaction.atomic():
        Preference.objects.update_or_create(user=actor, defaults={"muted": muted, "mailed": by_mail})
        record(
            "notifications.set",
            subject=actor.username,
            namespace=actor.username,
            actor=actor,
            muted=muted,
            mailed=by_mail,
        )
    return Wishes(tuple(kind for kind in Kind.values if kind in shown), tuple(by_mail))
