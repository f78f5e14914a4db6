"""What happens to a request, as a stream in Valkey: the worker writes it, whoever watches reads it.

The ids are those of Valkey, so that a watcher who was cut off comes back with the last one and misses
nothing. A request ends once: of all who may find that it is over, one writes the last event.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from registry.core.valkey import AWAY, valkey
from registry.playground.dispatch import ring
from registry.playground.line import (
    GONE_SECONDS,
    KEPT_SECONDS,
    P,
    is_lost,
    job_of,
    line_leave,
    line_position,
    watched,
)
from registry.playground.wishes import Job

LAST = ("done", "error")
# A wait in Valkey; below the second after which its client gives up.
POLL_SECONDS = 0.5
QUIET_SECONDS = 10.0
RING_SECONDS = 2
FIRST = "0-0"

Json = Mapping[str, Any]
# Code -> what is said of a request that ends so.
REASONS = {
    "playground.superseded": "A newer request of yours took its place.",
    "playground.cancelled": "Stopped.",
    "playground.unwatched": "Nobody watched any more, so the rest was not written.",
    "playground.timed_out": "The text took too long. Ask for fewer tokens.",
    "playground.worker_lost": "The worker ended while it wrote. Try again; nothing else is lost.",
    "playground.unavailable": "The mixer’s queue cannot be reached just now. Try again in a moment.",
    "playground.expired": "This request is too old, and forgotten. Ask again.",
    "playground.failed": "Something on our side failed. Try again; if it does not go away, report it.",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; an event without an id is not kept."""

    kind: str
    data: Json
    id: str = ""

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after it."""
        return self.kind in LAST


def failure(code: str, message: str = "") -> Event:
    """The event of a request that ends without its texts."""
    return Event("error", {"code": code, "detail": message or REASONS[code]})


def append(job_id: str, *events: Event) -> tuple[str, bool]:
    """Write events; says why the work has to stop ("" for go on), and whether anybody watches."""
    stream = f"{P}events:{job_id}"
    with valkey().pipeline(transaction=False) as pipe:
        for event in events:
            pipe.xadd(stream, _fields(event))
        pipe.expire(stream, KEPT_SECONDS)
        pipe.mget(f"{P}stop:{job_id}", f"{P}watched:{job_id}")
        why, seen = pipe.execute()[-1]
    return (why or b"").decode(), seen is not None


def end(job: Job, event: Event) -> bool:
    """Write the last event and give the place free; False where the request has ended already."""
    is_first = bool(valkey().set(f"{P}ended:{job.id}", 1, nx=True, ex=KEPT_SECONDS))
    if is_first:
        append(job.id, event)
    line_leave(job)
    return is_first


def read(job_id: str, *, after: str = FIRST, wait_seconds: float = 0.0) -> list[Event]:
    """The events after an id; waits for the first one if told so."""
    block = int(wait_seconds * 1000) or None
    found = valkey().xread({f"{P}events:{job_id}": after}, block=block)
    return [_event(number, fields) for _, rows in found or [] for number, fields in rows]


def is_over(job_id: str, after: str) -> bool:
    """Whether whoever has the event of this id has the last one."""
    # Not the newest: a worker may have written once more before it heard that it was stopped.
    return any(_event(*row).is_last for row in valkey().xrange(f"{P}events:{job_id}", after, after))


def watch(job: Job, *, after: str = FIRST, seconds: float) -> Iterator[Event | None]:
    """The events as they come, until the last one or the time is over; None where it has been quiet.

    It also does for a request what nobody else can: rings again when no worker has come, and ends it when the
    worker that took it has died. Where Valkey is out of reach, it ends with an error that is not kept.
    """
    try:
        yield from _watch(job, after, seconds)
    except AWAY:
        yield failure("playground.unavailable")


def _watch(job: Job, after: str, seconds: float) -> Iterator[Event | None]:
    began = said = rang = monotonic()
    position = 0
    try:
        while (now := monotonic()) - began < seconds:
            watched(job.id)
            events = read(job.id, after=after, wait_seconds=POLL_SECONDS)
            for event in events:
                after = event.id
                position = event.data.get("position", position)
                yield event
                if event.is_last:
                    return
            if events:
                said = now
                continue
            if job_of(job.id) is None:
                yield failure("playground.expired")
                return
            if is_lost(job.id):
                if end(job, failure("playground.worker_lost")):
                    continue
                return
            standing = line_position(job.caller)
            if standing and now - rang >= RING_SECONDS:
                rang = now
                ring()
            if standing and standing != position:
                position, said = standing, now
                yield Event("queued", {"position": standing})
            elif now - said >= QUIET_SECONDS:
                said = now
                yield None
    finally:
        # Who was cut off comes back within a moment; the worker stops if not.
        try:
            watched(job.id, seconds=GONE_SECONDS)
        except AWAY:
            pass


def _fields(event: Event) -> dict[str, str]:
    return {"kind": event.kind, "data": json.dumps(event.data)}


def _event(number: bytes, fields: Mapping[bytes, bytes]) -> Event:
    return Event(fields[b"kind"].decode(), json.loads(fields[b"data"]), number.decode())
