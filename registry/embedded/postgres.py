"""The embedded PostgreSQL: one cluster, one unix socket in a 0700 folder, no network address.

Whoever may enter the socket's folder (the user who started it, or root) is let in without a password.
"""

import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from registry.embedded.errors import EmbeddedError, tail
from registry.embedded.places import Places
from registry.embedded.process import run_as, spawn, wait_until

NAME = "bearing"
START_SECONDS = 30.0
STOP_SECONDS = 20.0

# Built in, so that sorting is the same on every machine, with or without system locales.
INITDB = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
SETTINGS = ("listen_addresses=", "unix_socket_permissions=0700", "timezone=UTC", "log_timezone=UTC")
# For servers whose data is thrown away afterwards.
UNSAFE_AND_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def database_url(places: Places, name: str = NAME) -> str:
    """The URL that Django and psql both understand."""
    return f"postgresql://{NAME}@{quote(str(places.socket), safe='')}/{name}"


def start(places: Places, *, persistent: bool, tethered: bool) -> subprocess.Popen[bytes] | None:
    """Starts the server and makes its database; None when it was running already."""
    if is_ready(places):
        return None
    if not (places.cluster / "PG_VERSION").exists():
        make_cluster(places, persistent=persistent)
    process = launch(places, persistent=persistent, tethered=tethered)
    ensure_database(places)
    return process


def make_cluster(places: Places, *, persistent: bool) -> None:
    """Fills the cluster folder; the superuser is called like the database."""
    log = places.logs / "postgres.log"
    command = [
        str(places.binaries / "initdb"),
        "-D",
        str(places.cluster),
        "-U",
        NAME,
        "--auth=trust",
        *INITDB,
    ]
    try:
        run_as(places.owner, command if persistent else [*command, "--no-sync"], log=log)
    except EmbeddedError as error:
        raise EmbeddedError(
            f"PostgreSQL could not make its data folder {places.cluster}: {error}\n{tail(log)}"
        ) from error


def launch(places: Places, *, persistent: bool, tethered: bool) -> subprocess.Popen[bytes]:
    """Starts `postgres` and waits until it answers; tries again while the remains of a killed one go away.

    Raises:
        EmbeddedError: it did not answer in time.
    """
    log = places.logs / "postgres.log"
    settings = SETTINGS if persistent else SETTINGS + UNSAFE_AND_FAST
    command = [str(places.binaries / "postgres"), "-D", str(places.cluster), "-k", str(places.socket)]
    for setting in settings:
        command += ["-c", setting]
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        remove_stale_lock(places)
        # SIGINT ends the server without waiting for its clients to leave.
        process = spawn(
            command,
            log=log,
            cwd=Path("/"),
            owner=places.owner,
            tethered=tethered,
            death_signal=signal.SIGINT,
        )
        if answers(places, process):
            return process
        stop(places, process)
        time.sleep(0.2)
    raise EmbeddedError(f"PostgreSQL did not start in {places.cluster}\n{tail(log)}")


def answers(places: Places, process: subprocess.Popen[bytes]) -> bool:
    """Waits until the server lets clients in (true), or ended, or took too long (false)."""
    wait_until(lambda: is_ready(places) or process.poll() is not None, timeout_seconds=START_SECONDS)
    return process.poll() is None and is_ready(places)


def remove_stale_lock(places: Places) -> None:
    """Removes the pid file of a killed server when its number now belongs to another program."""
    if server(places) is None:
        (places.cluster / "postmaster.pid").unlink(missing_ok=True)


def server(places: Places) -> psutil.Process | None:
    """The running `postgres` of this cluster, from its pid file."""
    try:
        first_line = (places.cluster / "postmaster.pid").read_text().splitlines()[0]
        process = psutil.Process(int(first_line))
        ours = str(places.cluster) in process.cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if ours and process.status() != psutil.STATUS_ZOMBIE else None


def is_ready(places: Places) -> bool:
    """Whether the server lets a client in."""
    if not (places.socket / ".s.PGSQL.5432").exists():
        return False
    try:
        with psycopg.connect(database_url(places, "postgres"), connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def ensure_database(places: Places) -> None:
    """Makes the database if the cluster has none yet."""
    with psycopg.connect(database_url(places, "postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))


def stop(places: Places, process: subprocess.Popen[bytes] | None = None) -> None:
    """Ends the server: at once but in order (SIGINT), by force after `STOP_SECONDS`. None running is fine.

    Raises:
        EmbeddedError: it runs under a user that we may not signal.
    """
    running = server(places)
    if running is not None:
        try:
            running.send_signal(signal.SIGINT)
            running.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            running.kill()
        except psutil.NoSuchProcess:
            pass
        except psutil.AccessDenied as error:
            raise EmbeddedError(
                f"PostgreSQL (process {running.pid}) belongs to another user; stop it as that user"
            ) from error
    if process is not None:
        if process.poll() is None:
            process.kill()
        process.wait()
