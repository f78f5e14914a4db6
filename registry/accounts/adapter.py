"""How django-allauth treats usernames here."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter


class AccountAdapter(DefaultAccountAdapter):
    """Keeps usernames lower-case, so that `Acme` and `acme` are one owner."""

    def clean_username(self, username: str, shallow: bool = False) -> Any:
        return super().clean_username(username.lower(), shallow=shallow)
