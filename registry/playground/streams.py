"""The playground's texts as server-sent events, for the REST interface and the mixer.

Whoever finds no place for a stream (`PLAYGROUND_STREAMS`) is told to come back, and misses nothing. A stream
asks no database, and gives its connection back first.
"""

import json
import re
from collections.abc import Iterator

from django.db import connection
from django.http import HttpResponse, HttpResponseBase

from registry.core.streams import QUIET, STREAM_SECONDS, Places, message, retry, streamed
from registry.core.valkey import AWAY
from registry.playground.events import FIRST, is_over, watch
from registry.playground.line import watched
from registry.playground.wishes import Job

# When to come back, in milliseconds: at once after a stream that was full, later where there was no place.
BACK_SOON, BACK_LATER = 500, 2000
STREAMS = Places("PLAYGROUND_STREAMS")


def play_stream(job: Job, *, after: str = "") -> HttpResponseBase:
    """The events of a request after the one that the caller has last."""
    known = after if re.fullmatch(r"[0-9]{1,16}-[0-9]{1,6}", after) else FIRST
    if known != FIRST and _has_all(job, known):
        # Tells a browser, which would come back for ever, that there is no more.
        return HttpResponse(status=204)
    if not connection.in_atomic_block:
        connection.close()
    return streamed(_events(job, known))


def _events(job: Job, after: str) -> Iterator[bytes]:
    with STREAMS.place() as has_place:
        yield retry(BACK_SOON if has_place else BACK_LATER)
        if not has_place:
            watched(job.id, seconds=2 * BACK_LATER // 1000)
            return
        for event in watch(job, after=after, seconds=STREAM_SECONDS):
            yield QUIET if event is None else message(event.kind, json.dumps(event.data).encode(), event.id)


def _has_all(job: Job, known: str) -> bool:
    try:
        return is_over(job.id, known)
    except AWAY:
        return False
