"""App config."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """Contrastive datasets and their immutable versions."""

    name = "registry.datasets"
    label = "datasets"

    def ready(self) -> None:
        from registry.datasets.selectors import reads_pairs
        from registry.uploads.services import READERS

        READERS.append(reads_pairs)
