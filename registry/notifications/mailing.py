"""Mail what is to be mailed: a chore of the sweeper, so that no request and no run waits for a mail server.

It may run twice at once and be killed at any time: each row is locked while its mail is sent, and one that
was sent just before a crash is sent again.
"""

import logging
import uuid
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models.functions import Now
from django.template.loader import render_to_string

from registry.accounts.models import User
from registry.notifications.models import Notification

logger = logging.getLogger(__name__)

BATCH = 50
# A mail about something older helps nobody.
GIVEN_UP_AFTER = timedelta(days=1)


def notifications_mail() -> int:
    """Send what is due; how much was. A mail server that is down is asked again the next time."""
    Notification.objects.filter(mail_due_at__lt=Now() - GIVEN_UP_AFTER).update(mail_due_at=None)
    waiting = Notification.objects.filter(mail_due_at__isnull=False)
    sent = 0
    ids = list(waiting.order_by("mail_due_at").values_list("pk", flat=True)[:BATCH])
    if not ids:
        return 0
    try:
        with get_connection() as server:
            for pk in ids:
                sent += _send(pk, server)
    except OSError as error:
        logger.error("mail not sent", extra={"error": type(error).__name__})
    return sent


def _send(pk: uuid.UUID, server: BaseEmailBackend) -> int:
    with transaction.atomic():
        rows = Notification.objects.select_for_update(skip_locked=True, of=("self",))
        row = rows.select_related("recipient").filter(pk=pk, mail_due_at__isnull=False).first()
        if row is None:
            return 0
        address = verified_address(row.recipient)
        if address:
            text = render_to_string(
                "notifications/mail.txt",
                {"row": row, "url": settings.PUBLIC_URL + row.link, "service": settings.PUBLIC_URL},
            )
            EmailMessage(f"{row.text[:120]} · Bearing", text, None, [address], connection=server).send()
        row.mail_due_at = None
        row.save(update_fields=["mail_due_at"])
    return int(bool(address))


def verified_address(user: User) -> str:
    """The address that mail goes to: one of theirs that they have shown to be theirs; empty for none."""
    rows = EmailAddress.objects.filter(user=user, verified=True).order_by("-primary", "pk")
    return rows.values_list("email", flat=True).first() or ""
