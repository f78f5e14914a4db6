"""Secrets that the service has to read again, kept encrypted with a key made of `SECRET_KEY`: a dump of the
database alone gives none away. What need only be recognised is kept as a hash instead.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def seal(purpose: str, text: str) -> str:
    """The text, encrypted; only the same purpose opens it."""
    return _box(purpose).encrypt(text.encode()).decode()


def unseal(purpose: str, sealed: str) -> str:
    """The text that was sealed, also with one of `SECRET_KEY_FALLBACKS`.

    Raises:
        cryptography.fernet.InvalidToken: it was sealed with a key that is gone.
    """
    return _box(purpose).decrypt(sealed.encode()).decode()


def _box(purpose: str) -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derived(purpose, key)) for key in keys])


def _derived(purpose: str, key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(f"{purpose}:{key}".encode()).digest())
