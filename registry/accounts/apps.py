"""App config."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users and their API tokens."""

    name = "registry.accounts"
    label = "accounts"
