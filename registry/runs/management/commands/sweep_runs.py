"""`manage.py sweep_runs`: the sweeper's loop, which does the chores of all apps too. One process is enough;
two do no harm.
"""

import logging
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections, connection

from registry.core.chores import do_chores
from registry.runs.sweeping import runs_sweep

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Outlives a database or broker that goes away for a while."""

    help = "Ring again for runs that nobody works on, and do the other chores, until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="sweep once and exit")
        parser.add_argument(
            "--quick", action="store_true", help="with --once: leave out the chores that may take long"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            sweep = runs_sweep()
            self.stdout.write(f"ended {sweep.ended}, rang for {sweep.rung}")
            for name, done in do_chores(all_now=True, with_slow=not options["quick"]).items():
                self.stdout.write(f"{name}: {done}")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        logger.info("sweeper started", extra={"every_seconds": settings.RUN_SWEEP_SECONDS})
        while not stop.wait(settings.RUN_SWEEP_SECONDS):
            try:
                close_old_connections()
                runs_sweep()
                do_chores()
            except Error as error:
                logger.warning("database out of reach", extra={"error": type(error).__name__})
                connection.close()
