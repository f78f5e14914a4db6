"""App config."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Base models, steering vectors and their versions."""

    name = "registry.catalog"
    label = "catalog"

    def ready(self) -> None:
        from registry.accounts.access import FILE_GATES
        from registry.catalog.gating import file_gate
        from registry.catalog.selectors import reads_vector_file
        from registry.uploads.services import READERS

        FILE_GATES.append(file_gate)
        READERS.append(reads_vector_file)
