"""Work that is done again and again beside requests and runs: apps add theirs, the sweeper does them.

A chore may run twice at once and may be killed at any time, so each is small transactions on locked rows.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Chore:
    """One kind of work. It returns how much it did, for the log.

    Attributes:
        every_seconds: how long to leave it after it was done; 0 is each time the sweeper looks.
        is_slow: whether it waits for others, so that it is done in a thread of its own and keeps nothing else
            from its turn.
    """

    name: str
    work: Callable[[], int]
    every_seconds: float = 0.0
    is_slow: bool = False
    due_at: float = 0.0
    thread: threading.Thread | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether its thread works."""
        return self.thread is not None and self.thread.is_alive()


CHORES: dict[str, Chore] = {}


def add_chore(chore: Chore) -> None:
    """To be called from the `ready` of an app."""
    CHORES[chore.name] = chore


def do_chores(*, all_now: bool = False, with_slow: bool = True) -> dict[str, int]:
    """Do what is due and say how much was done. One that fails is logged and keeps none of the others.

    Args:
        all_now: due or not, and slow ones here and now.
        with_slow: whether to do slow ones at all.
    """
    done = {}
    for chore in CHORES.values():
        if chore.is_slow and not with_slow:
            continue
        if not all_now and (chore.is_under_way or time.monotonic() < chore.due_at):
            continue
        if chore.is_slow and not all_now:
            # Ends with the process: what it leaves undone is done again, like that of one that was killed.
            chore.thread = threading.Thread(target=_do_apart, args=(chore,), name=chore.name, daemon=True)
            chore.thread.start()
        elif (much := _do(chore)) is not None:
            done[chore.name] = much
    return done


def _do(chore: Chore) -> int | None:
    """How much was done; None if it failed."""
    try:
        return chore.work()
    except Exception:
        # The next round tries again; what is wrong here must not stop the runs from being swept.
        logger.exception("chore failed", extra={"chore": chore.name})
        return None
    finally:
        chore.due_at = time.monotonic() + chore.every_seconds


def _do_apart(chore: Chore) -> None:
    try:
        _do(chore)
    finally:
        # Each thread has a connection of its own.
        connection.close()
