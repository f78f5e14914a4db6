"""App config."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Base models, steering vectors and their versions."""

    name = "registry.catalog"
    label = "catalog"

    def ready(self) -> None:
        from registry.accounts.access import FILE_GATES
        from registry.catalog.gating import file_gate

        FILE_GATES.append(file_gate)
