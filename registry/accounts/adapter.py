"""How django-allauth treats usernames here, and how it keeps the secrets of second factors."""

import base64
import hashlib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from registry.accounts.names import for_a_form, name_race, owner_name_problem


class AccountAdapter(DefaultAccountAdapter):
    """Keeps usernames lower-case, so that `Acme` and `acme` are one owner, and apart from all other names."""

    def clean_username(self, username: str, shallow: bool = False) -> Any:
        username = username.lower()
        if not shallow and (problem := owner_name_problem(username)):
            raise ValidationError(for_a_form(problem), code=problem.code)
        return super().clean_username(username, shallow=shallow)

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        with name_race():
            return super().save_user(request, user, form, commit=commit)


class MFAAdapter(DefaultMFAAdapter):
    """Secrets of authenticator apps are encrypted with a key made of `SECRET_KEY`: a dump of the database
    alone gives no second factor away.
    """

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def _cipher() -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"second factors:" + key.encode()).digest())
