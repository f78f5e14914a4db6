"""App config."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The REST interface."""

    name = "registry.api"
    label = "api"
