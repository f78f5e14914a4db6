"""Watch a run for a while: what it is now, and each change, by one small query now and then.

Without a place among `RUN_WATCHERS`, a watcher gets one look and comes back later. Who sees the run at all is
for the caller to ask first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce

from registry.core.streams import Places
from registry.runs.models import Run, RunEvent
from registry.runs.states import TERMINAL

POLL_SECONDS = 0.5
# So long nothing changes before word of that is given, and a watcher that has gone is noticed.
QUIET_SECONDS = 15.0
WATCHERS = Places("RUN_WATCHERS")


@dataclass(frozen=True, slots=True)
class Glance:
    """What changes about a run while it goes on; `newest_event` is the id of the last line of its log."""

    state: str
    stage: str
    progress: float
    attempt: int
    cancel_requested: bool
    newest_event: int

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after it."""
        return self.state in TERMINAL


def run_glance(*, run_id: Any) -> Glance:
    """A run as it is now, in one query that two indexes answer."""
    newest = RunEvent.objects.filter(run=OuterRef("pk")).order_by("-run", "-pk").values("pk")[:1]
    fields = ("state", "stage", "progress", "attempt", "cancel_requested")
    rows = Run.objects.filter(pk=run_id).values_list(*fields, Coalesce(Subquery(newest), 0))
    return Glance(*rows.get())


def run_watch(*, run_id: Any, seconds: float) -> Iterator[Glance | None]:
    """The run now, then each time that it has changed, until it ends or the time is over; None where it has
    been quiet for a while.
    """
    until = monotonic() + seconds
    seen = run_glance(run_id=run_id)
    yield seen
    said = monotonic()
    while not seen.is_last and (left := until - monotonic()) > 0:
        sleep(min(POLL_SECONDS, left))
        now = run_glance(run_id=run_id)
        if now != seen:
            seen = now
            yield seen
            said = monotonic()
        elif monotonic() - said >= QUIET_SECONDS:
            yield None
            said = monotonic()


def run_await(*, run_id: Any, seconds: float) -> bool:
    """Wait until a run has ended, for so long at most; False at once where there is no place to wait."""
    with WATCHERS.place() as has_place:
        if has_place:
            for _ in run_watch(run_id=run_id, seconds=seconds):
                pass
        return has_place
