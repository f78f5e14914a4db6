"""`manage.py starter_presets`: measured presets for the demo model, through the runs that users start."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.accounts.models import User
from registry.core.errors import RegistryError
from registry.runs.starters import starters_make, starters_owner


class Command(BaseCommand):
    """Safe to repeat and to cut off: it goes on from what is there."""

    help = "Extract vectors of the demo language, mix, measure and publish them; takes a running worker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--owner", default="", help="whose they are; else the first user of the demo")
        parser.add_argument("--timeout", type=float, default=3600.0, help="seconds to wait for a single run")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["owner"]
        owner = User.objects.filter(username=name).first() if name else starters_owner()
        if owner is None:
            if name:
                raise CommandError(f"there is no user {name!r}")
            self.stdout.write("nobody has walked through the demo yet; make demo does")
            return
        try:
            made = starters_make(owner=owner, say=self.stdout.write, timeout_seconds=options["timeout"])
        except (RegistryError, TimeoutError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"published: {', '.join(made) or 'none'}")
