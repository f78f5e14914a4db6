"""App config."""

from django.apps import AppConfig


class PresetsConfig(AppConfig):
    """Presets, their versions and what those are made of."""

    name = "registry.presets"
    label = "presets"

    def ready(self) -> None:
        from registry.presets.dumping import PRESETS
        from registry.serving.dumps import SECTIONS

        SECTIONS.append(PRESETS)
