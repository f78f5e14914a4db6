"""App config."""

from django.apps import AppConfig


class StorageConfig(AppConfig):
    """Bytes by digest."""

    name = "registry.storage"
    label = "storage"
