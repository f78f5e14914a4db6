"""App config."""

from django.apps import AppConfig


class PresetsConfig(AppConfig):
    """Presets, their versions and what those are made of."""

    name = "registry.presets"
    label = "presets"
