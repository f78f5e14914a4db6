"""Mail that the service writes by itself. A mail server that is down stops nothing: it is logged."""

import logging

from django.core.mail import send_mail
from django.db import transaction

logger = logging.getLogger(__name__)


def mail_after_commit(*, to: str, subject: str, text: str) -> None:
    """Send a mail once the transaction has ended well."""

    def send() -> None:
        try:
            send_mail(subject, text, None, [to])
        except OSError as error:
            logger.error("mail not sent", extra={"error": type(error).__name__})

    transaction.on_commit(send)
