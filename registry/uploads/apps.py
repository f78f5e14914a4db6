"""App config."""

from django.apps import AppConfig


class UploadsConfig(AppConfig):
    """Files on their way in, part by part."""

    name = "registry.uploads"
    label = "uploads"

    def ready(self) -> None:
        from registry.core.chores import Chore, add_chore
        from registry.uploads.expiry import SWEEP_SECONDS, uploads_expire

        add_chore(Chore("expire uploads", uploads_expire, every_seconds=SWEEP_SECONDS))
