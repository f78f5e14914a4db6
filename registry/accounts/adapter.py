"""How django-allauth treats usernames here, and how it keeps the secrets of second factors."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from registry.accounts.names import for_a_form, name_race, owner_name_problem
from registry.core.sealing import seal, unseal

# Part of the key; another word would lock out everybody who has a second factor.
PURPOSE = "second factors"


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
        return seal(PURPOSE, text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(PURPOSE, encrypted_text)
