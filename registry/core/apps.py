"""App config of the shared parts; it has no models of its own."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Carries management commands that belong to no single app."""

    name = "registry.core"
    label = "core"
