"""App config."""

from django.apps import AppConfig


class DiscoveryConfig(AppConfig):
    """Search, similar vectors, and what fits a base model."""

    name = "registry.discovery"
    label = "discovery"

    def ready(self) -> None:
        from registry.catalog.selectors import ANNOTATIONS
        from registry.catalog.vectors import FILE_FOLLOWERS, FOLLOWERS
        from registry.core.chores import Chore, add_chore
        from registry.discovery.entries import entries_mend, entry_follow
        from registry.discovery.similar import has_near_copies, near_copies_follow, sketches_mend

        FOLLOWERS.append(entry_follow)
        FILE_FOLLOWERS.append(near_copies_follow)
        ANNOTATIONS["has_near_copies"] = has_near_copies()
        add_chore(Chore("write missing search entries", entries_mend, every_seconds=3600))
        add_chore(Chore("compare directions", sketches_mend, every_seconds=60))
