"""The playground's texts as server-sent events (WHATWG HTML, 9.2), for the REST interface and the mixer.

A stream holds a thread of the web process, so each has few places (`PLAYGROUND_STREAMS`); whoever finds none
is told to come back, and misses nothing. It asks no database, and gives its connection back first.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from registry.core.valkey import AWAY
from registry.playground.events import FIRST, Event, is_over, watch
from registry.playground.line import watched
from registry.playground.wishes import Job

MEDIA_TYPE = "text/event-stream"
# Below the minute after which proxies give up by default.
STREAM_SECONDS = 55.0
# When to come back, in milliseconds: at once after a stream that was full, later where there was no place.
BACK_SOON, BACK_LATER = 500, 2000
_lock = threading.Lock()
_taken = 0


@contextmanager
def streaming_place() -> Iterator[bool]:
    """Whether one more stream may be open in this process; if so, until the end of the block."""
    global _taken
    with _lock:
        has_place = _taken < settings.PLAYGROUND_STREAMS
        _taken += has_place
    try:
        yield has_place
    finally:
        with _lock:
            _taken -= has_place


def play_stream(job: Job, *, after: str = "") -> HttpResponseBase:
    """The events of a request after the one that the caller has last."""
    known = after if re.fullmatch(r"[0-9]{1,16}-[0-9]{1,6}", after) else FIRST
    if known != FIRST and _has_all(job, known):
        # Tells a browser, which would come back for ever, that there is no more.
        return HttpResponse(status=204)
    if not connection.in_atomic_block:
        connection.close()
    response = StreamingHttpResponse(_events(job, known), content_type=MEDIA_TYPE)
    # nginx would collect it first.
    response["X-Accel-Buffering"] = "no"
    response["Cache-Control"] = "private, no-store"
    return response


def message(event: Event) -> bytes:
    """One event; JSON of one line needs no splitting."""
    name = f"id: {event.id}\n" if event.id else ""
    return f"{name}event: {event.kind}\ndata: {json.dumps(event.data)}\n\n".encode()


def _events(job: Job, after: str) -> Iterator[bytes]:
    with streaming_place() as has_place:
        yield f"retry: {BACK_SOON if has_place else BACK_LATER}\n\n".encode()
        if not has_place:
            watched(job.id, seconds=2 * BACK_LATER // 1000)
            return
        for event in watch(job, after=after, seconds=STREAM_SECONDS):
            yield b": nothing new\n\n" if event is None else message(event)


def _has_all(job: Job, known: str) -> bool:
    try:
        return is_over(job.id, known)
    except AWAY:
        return False
