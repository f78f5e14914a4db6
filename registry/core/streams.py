"""Server-sent events (WHATWG HTML, 9.2), and the places for those who wait for something.

Whoever waits holds a thread of the web process, so there are few places in each: a stream is bounded, and its
client comes back with the id of the last event that it has.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.http import StreamingHttpResponse

MEDIA_TYPE = "text/event-stream"
# Below the minute after which proxies give up by default.
STREAM_SECONDS = 55.0
# Keeps a connection alive, and finds out that the other side has gone.
QUIET = b": nothing new\n\n"


class Places:
    """As many as a setting says, in this process; `taken` are taken now."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._lock = threading.Lock()
        self.taken = 0

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Whether there is one more; if so, it is taken until the end of the block."""
        with self._lock:
            has_place = self.taken < getattr(settings, self._setting)
            self.taken += has_place
        try:
            yield has_place
        finally:
            with self._lock:
                self.taken -= has_place


def retry(milliseconds: int) -> bytes:
    """When the client shall come back once the stream has ended."""
    return f"retry: {milliseconds}\n\n".encode()


def message(kind: str, data: bytes, event_id: str = "") -> bytes:
    """One event, with an id where it is one to come back with.

    Args:
        data: JSON, which is one line and needs no splitting.
    """
    name = f"id: {event_id}\n" if event_id else ""
    return f"{name}event: {kind}\ndata: ".encode() + data + b"\n\n"


def streamed(events: Iterable[bytes]) -> StreamingHttpResponse:
    """The answer that sends them as they come."""
    response = StreamingHttpResponse(events, content_type=MEDIA_TYPE)
    # nginx would collect it first.
    response["X-Accel-Buffering"] = "no"
    response["Cache-Control"] = "private, no-store"
    return response
