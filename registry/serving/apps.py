"""App config."""

from django.apps import AppConfig


class ServingConfig(AppConfig):
    """Other engines' forms, counts of downloads, and dumps of the catalog."""

    name = "registry.serving"
    label = "serving"

    def ready(self) -> None:
        from registry.core.chores import Chore, add_chore
        from registry.discovery.entries import RECENT_USE
        from registry.serving.conversions import conversions_sweep
        from registry.serving.downloads import FLUSH_SECONDS, downloads_flush, recent_downloads
        from registry.serving.dumps import LOOK_SECONDS, catalog_dump_daily

        RECENT_USE.append(recent_downloads)
        add_chore(Chore("ring for conversions", conversions_sweep))
        add_chore(Chore("write down downloads", downloads_flush, every_seconds=FLUSH_SECONDS))
        # It takes as long as the catalog is large.
        add_chore(Chore("dump the catalog", catalog_dump_daily, every_seconds=LOOK_SECONDS, is_slow=True))
