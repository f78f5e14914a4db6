"""Signatures as Standard Webhooks 1.0 wants them (https://www.standardwebhooks.com), and their secrets."""

import base64
import hashlib
import hmac
import secrets

from django.utils import timezone

from registry.core.sealing import seal, unseal
from registry.webhooks.models import Webhook

PREFIX = "whsec_"
PURPOSE = "webhooks"
SECRET_BYTES = 32


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sealed(secret: str) -> str:
    """A secret as the row keeps it."""
    return seal(PURPOSE, secret)


def secrets_of(webhook: Webhook) -> list[str]:
    """The secrets that sign today: the newest first, then the one before it while that is still valid.

    Raises:
        cryptography.fernet.InvalidToken: they were sealed with a `SECRET_KEY` that is gone.
    """
    kept = [webhook.secret]
    if webhook.old_secret_until and webhook.old_secret_until > timezone.now():
        kept.append(webhook.old_secret)
    return [unseal(PURPOSE, secret) for secret in kept]


def signed_headers(message_id: str, body: bytes, keys: list[str], *, timestamp: int) -> dict[str, str]:
    """The three headers of a message."""
    content = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(key, content)}" for key in keys),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
