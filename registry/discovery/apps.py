"""App config."""

from django.apps import AppConfig


class DiscoveryConfig(AppConfig):
    """Search, similar vectors, and what fits a base model."""

    name = "registry.discovery"
    label = "discovery"

    def ready(self) -> None:
        from registry.catalog.vectors import FOLLOWERS
        from registry.core.chores import Chore, add_chore
        from registry.discovery.entries import entries_mend, entry_follow

        FOLLOWERS.append(entry_follow)
        add_chore(Chore("write missing search entries", entries_mend, every_seconds=3600))
