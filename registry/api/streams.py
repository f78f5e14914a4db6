"""Runs as they go on: server-sent events, and `Prefer: wait=N` (RFC 7240)."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpResponse, HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from registry.core.errors import NotFoundError
from registry.core.streams import MEDIA_TYPE, QUIET, STREAM_SECONDS, message, retry, streamed
from registry.runs.models import Run, RunEvent
from registry.runs.selectors import event_list
from registry.runs.watching import WATCHERS, run_await, run_watch

LONGEST_WAIT = 60
# When to come back, in milliseconds: at once after a stream that was full, later where there was no place.
BACK_SOON, BACK_LATER = 1000, 5000


def wants_stream(request: Request) -> bool:
    """Whether `Accept` names the media type of streams."""
    return MEDIA_TYPE in request.headers.get("Accept", "").lower()


def last_event_id(request: Request) -> int:
    """What a client that comes back says it has; 0 where it says nothing that could be meant."""
    text = request.headers.get("Last-Event-ID", "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def run_stream(
    request: Request, run: Run, *, after: int, shown: Callable[[], Any], line: Callable[[RunEvent], Any]
) -> HttpResponseBase:
    """The log after an event id, and the run each time that it changes.

    Args:
        shown: the run as JSON, read anew; raises NotFoundError once the caller may not see it any more.
        line: an event as JSON.
    """
    known = last_event_id(request)
    is_over = run_over(run, known)
    if is_over and known:
        # Tells a browser, which would come back for ever, that there is no more.
        return HttpResponse(status=204)
    return streamed(() if request.method == "HEAD" else _events(run, max(after, known), shown, line))


def run_over(run: Run, known: int) -> bool:
    """Whether a run has ended and this event id is its last."""
    glance = next(iter(run_watch(run_id=run.pk, seconds=0)))
    return glance is not None and glance.is_last and glance.newest_event <= known


def waited(request: Request, run: Run) -> int | None:
    """Wait for the end of a run for as long as `Prefer: wait=N` says; the seconds that were granted, None
    where it does not ask, or there is no place to wait.
    """
    match = re.search(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,9})\b", request.headers.get("Prefer", ""), re.I)
    if match is None:
        return None
    seconds = min(int(match[1]), LONGEST_WAIT)
    return seconds if run_await(run_id=run.pk, seconds=seconds) else None


def _events(
    run: Run, after: int, shown: Callable[[], Any], line: Callable[[RunEvent], Any]
) -> Iterator[bytes]:
    json_of = JSONRenderer().render
    with WATCHERS.place() as has_place:
        yield retry(BACK_SOON if has_place else BACK_LATER)
        try:
            for glance in run_watch(run_id=run.pk, seconds=STREAM_SECONDS if has_place else 0):
                if glance is None:
                    yield QUIET
                    continue
                while glance.newest_event > after:
                    for event in event_list(run=run, after=after):
                        yield message("log", json_of(line(event)), str(event.pk))
                        after = event.pk
                yield message("run", json_of(shown()))
        except (NotFoundError, OperationalError, InterfaceError):
            # The status is sent already; whoever comes back is told in full.
            return
