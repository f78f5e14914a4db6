"""App config."""

from django.apps import AppConfig


class TrustConfig(AppConfig):
    """What people say of vectors."""

    name = "registry.trust"
    label = "trust"
