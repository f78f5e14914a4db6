"""Read what somebody is told."""

from django.conf import settings
from django.db.models import QuerySet

from registry.accounts.models import User
from registry.notifications.models import Kind, Notification, Preference
from registry.notifications.services import Wishes

# More are not counted: nobody needs the number, and the index is walked no further.
MOST_COUNTED = 100
UNSENT_BACKENDS = ("dummy", "console")


def unread_count(*, user: User) -> int:
    """How many are unread, up to `MOST_COUNTED`; one look at a small index."""
    return Notification.objects.filter(recipient=user, read_at=None)[:MOST_COUNTED].count()


def notification_list(*, viewer: User, is_read: bool | None = None) -> QuerySet[Notification]:
    """What somebody was told, newest first; the read or the unread ones alone."""
    rows = Notification.objects.filter(recipient=viewer)
    return rows if is_read is None else rows.filter(read_at__isnull=not is_read)


def wishes_get(*, user: User) -> Wishes:
    """What they want to be told."""
    row = Preference.objects.filter(user=user).first()
    muted, mailed = (row.muted, row.mailed) if row else ([], [])
    return Wishes(tuple(kind for kind in Kind.values if kind not in muted), tuple(mailed))


def sends_mail() -> bool:
    """Whether mail of this service leaves it."""
    return not any(f".{name}." in settings.EMAIL_BACKEND for name in UNSENT_BACKENDS)
