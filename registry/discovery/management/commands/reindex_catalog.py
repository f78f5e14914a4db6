"""`manage.py reindex_catalog`: make the search entries anew, while the service runs."""

from typing import Any

from django.core.management.base import BaseCommand

from registry.discovery.entries import entries_rebuild


class Command(BaseCommand):
    """Some hundred vectors to a transaction; it may be stopped and started again."""

    help = "Derive the search entries of all vectors from the catalog anew."

    def handle(self, *args: Any, **options: Any) -> None:
        done = 0
        for written in entries_rebuild():
            done += written
            if options["verbosity"] > 1:
                self.stdout.write(f"{done} entries")
        self.stdout.write(f"{done} search entries written")
