"""Both servers as one: `with embedded_servers(folder, persistent=True) as urls`, or `start` and `stop`.

A second start on a running folder uses what runs; `stack` builds the service on the addresses that come back.
"""

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from registry.embedded import postgres, valkey
from registry.embedded.places import Places, find_places, remove


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses for `DATABASE_URL` and `REDIS_URL`, and the processes that this call started."""

    database_url: str
    redis_url: str
    postgres: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    valkey: subprocess.Popen[bytes] | None = field(default=None, repr=False)


@contextmanager
def embedded_servers(data: Path, *, persistent: bool) -> Iterator[Servers]:
    """Runs both servers on `data` while the block lasts; ends what it started, leaves what ran before.

    They die with this process, however it ends. `persistent` data is kept safe and used again by the next
    start; other data is for one use, written fast and without care.

    Raises:
        EmbeddedError: a server did not start; the end of its log is in the message.
    """
    places = find_places(data)
    servers = start_servers(places, persistent=persistent, tethered=True)
    try:
        yield servers
    finally:
        stop_started(places, servers)
        if servers.postgres is not None and not persistent:
            remove(places)


def start(data: Path, *, persistent: bool = True) -> Servers:
    """Starts both servers so that they outlive this process; does nothing where they run already."""
    return start_servers(find_places(data), persistent=persistent, tethered=False)


def stop(data: Path) -> None:
    """Ends both servers, whoever started them; does nothing where none runs."""
    if not data.exists():
        return
    places = find_places(data)
    with locked(places):
        postgres.stop(places)
        valkey.stop(valkey.saved_address(places))


def running(data: Path) -> Servers | None:
    """The addresses, if both servers answer."""
    if not data.exists():
        return None
    places = find_places(data)
    address = valkey.saved_address(places)
    if address is None or not valkey.is_ready(address) or not postgres.is_ready(places):
        return None
    return Servers(postgres.database_url(places), address.url)


def start_servers(places: Places, *, persistent: bool, tethered: bool) -> Servers:
    """Starts what does not run yet; when one fails, the other is ended again."""
    with locked(places):
        database = postgres.start(places, persistent=persistent, tethered=tethered)
        try:
            address, queue = valkey.start(places, persistent=persistent, tethered=tethered)
        except BaseException:
            if database is not None:
                postgres.stop(places, database)
            raise
    return Servers(postgres.database_url(places), address.url, database, queue)


def stop_started(places: Places, servers: Servers) -> None:
    """Ends the processes that `servers` holds, the queue first."""
    with locked(places):
        if servers.valkey is not None:
            valkey.stop(valkey.saved_address(places), servers.valkey)
        if servers.postgres is not None:
            postgres.stop(places, servers.postgres)


@contextmanager
def locked(places: Places) -> Iterator[None]:
    """One start or stop at a time per data folder; the lock goes with the process that held it."""
    with places.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
