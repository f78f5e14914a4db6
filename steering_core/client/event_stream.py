"""Server-sent events (WHATWG HTML, 9.2), read from the lines of an answer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MEDIA_TYPE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class ServerSent:
    """One event: its name, `message` where it has none, and its data."""

    name: str
    data: str


def read_events(lines: Iterable[str]) -> Iterator[ServerSent]:
    """The events in a stream of lines without their ends; one that is cut off by the end is none."""
    name = ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield ServerSent(name or "message", "\n".join(data))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
