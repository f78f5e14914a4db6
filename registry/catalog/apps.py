"""App config."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Base models, steering vectors and their versions."""

    name = "registry.catalog"
    label = "catalog"
