"""App config."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """Work that takes time."""

    name = "registry.runs"
    label = "runs"
