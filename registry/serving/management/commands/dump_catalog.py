"""`manage.py dump_catalog`: write today's dump of the public catalog, which the sweeper does once a day."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.core.errors import RegistryError
from registry.serving.dumps import catalog_dump, dumps_withdraw


class Command(BaseCommand):
    """Safe to repeat: today's dump takes the place of the one before."""

    help = "Write today's dump of the public catalog, and withdraw those that say too much."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            dumps_withdraw()
            dump = catalog_dump()
        except RegistryError as error:
            raise CommandError(f"{error.message} ({error.code})") from error
        self.stdout.write(f"{dump.day}: {dump.lines} lines, {dump.blob.size_bytes} bytes, {dump.blob.digest}")
