"""App config."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """Contrastive datasets and their immutable versions."""

    name = "registry.datasets"
    label = "datasets"
