"""The sweeper: rings again for runs that nobody works on, and ends those that cannot go on.

It may run twice at once and may be killed at any time; every step is one small transaction on locked rows.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from registry.runs.dispatch import ring
from registry.runs.models import Run
from registry.runs.services import run_end
from registry.runs.states import ErrorClass, RunState

logger = logging.getLogger(__name__)

BATCH = 100


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep did."""

    ended: int
    rung: int


def runs_sweep() -> Sweep:
    """End what cannot go on, then ring for what waits: queued and not rung lately, or running with a
    lapsed lease.
    """
    return Sweep(ended=_end_hopeless(), rung=_ring_waiting())


def _end_hopeless() -> int:
    """Runs past their deadline, and runs that lost every attempt they had."""
    lapsed = Q(lease_until__lt=Now())
    late = lapsed & Q(deadline_at__lt=Now())
    spent = lapsed & Q(attempt__gte=settings.RUN_MAX_ATTEMPTS)
    cancelled = lapsed & Q(cancel_requested=True)
    ended = 0
    with transaction.atomic():
        rows = Run.objects.select_for_update(skip_locked=True, of=("self",)).select_related(
            "vector_version__vector__owner", "preset_version__preset__owner"
        )
        for run in rows.filter(late | spent | cancelled, state=RunState.RUNNING)[:BATCH]:
            if run.cancel_requested:
                run_end(run, RunState.CANCELLED, ErrorClass.CANCELLED, "run.cancelled", "cancelled")
            elif run.attempt >= settings.RUN_MAX_ATTEMPTS:
                run_end(run, RunState.FAILED, ErrorClass.POISON, "run.poison", _POISON)
            else:
                run_end(run, RunState.TIMED_OUT, ErrorClass.TIMED_OUT, "run.timed_out", _LATE)
            ended += 1
    return ended


def _ring_waiting() -> int:
    quiet = Q(notified_at__isnull=True) | Q(
        notified_at__lt=Now() - timedelta(seconds=settings.RUN_RING_SECONDS)
    )
    due = Q(not_before__isnull=True) | Q(not_before__lte=Now())
    waiting = (Q(state=RunState.QUEUED) & due) | Q(state=RunState.RUNNING, lease_until__lt=Now())
    rung = 0
    for run in Run.objects.filter(waiting & quiet).order_by("created_at")[:BATCH]:
        if not ring(run):
            break  # the broker is away; the next sweep tries again
        rung += 1
    if rung:
        logger.info("rang for waiting runs", extra={"rung": rung})
    return rung


_POISON = (
    "the worker died on every attempt, so this run was given up; if the dataset has very long rows, "
    "shorten them, else report the run's id"
)
_LATE = "the run took longer than the time limit; try fewer or shorter pairs"
