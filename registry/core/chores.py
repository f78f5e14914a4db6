"""Work that is done again and again beside requests and runs: apps add theirs, the sweeper does them.

A chore may run twice at once and may be killed at any time, so each is small transactions on locked rows.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Chore:
    """One kind of work. It returns how much it did, for the log.

    Attributes:
        every_seconds: how long to leave it after it was done; 0 is each time the sweeper looks.
    """

    name: str
    work: Callable[[], int]
    every_seconds: float = 0.0
    due_at: float = 0.0


CHORES: dict[str, Chore] = {}


def add_chore(chore: Chore) -> None:
    """To be called from the `ready` of an app."""
    CHORES[chore.name] = chore


def do_chores(*, all_now: bool = False) -> dict[str, int]:
    """Do what is due and say how much was done. One that fails is logged and keeps none of the others.

    Args:
        all_now: due or not.
    """
    done = {}
    for chore in CHORES.values():
        if not all_now and time.monotonic() < chore.due_at:
            continue
        try:
            done[chore.name] = chore.work()
        except Exception:
            # The next round tries again; what is wrong here must not stop the runs from being swept.
            logger.exception("chore failed", extra={"chore": chore.name})
        chore.due_at = time.monotonic() + chore.every_seconds
    return done
