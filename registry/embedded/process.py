"""Starting and ending processes: `spawn` one in its own session, `end` it with everything it started.

The servers (`postgres`, `valkey`) and the service's parts (`stack`) all come and go through here.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.embedded import tether
from registry.embedded.errors import EmbeddedError


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that a process runs as, where it is not the one who starts it."""

    uid: int
    gid: int

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}"


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    owner: Owner | None = None,
    tethered: bool = True,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Starts a command in its own session, its output appended to `log`.

    A tethered one gets `death_signal` when this process dies, however it dies.
    """
    prefix = [
        sys.executable,
        "-I",
        "-S",
        tether.__file__,
        str(os.getpid() if tethered else 0),
        str(int(death_signal)),
        str(owner) if owner else "-",
    ]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )


def run_as(owner: Owner | None, command: Sequence[str], *, log: Path, timeout_seconds: float = 120) -> None:
    """Runs a command to its end as `owner`.

    Raises:
        EmbeddedError: it failed, or took longer than `timeout_seconds`.
    """
    process = spawn(command, log=log, cwd=Path("/"), owner=owner)
    try:
        code = process.wait(timeout_seconds)
    except subprocess.TimeoutExpired as error:
        raise EmbeddedError(f"{command[0]} took longer than {timeout_seconds:.0f} s") from error
    finally:
        end(process)
    if code != 0:
        raise EmbeddedError(f"{command[0]} ended with status {code}")


def end(
    process: subprocess.Popen[bytes], *, sig: signal.Signals = signal.SIGTERM, grace_seconds: float = 10
) -> None:
    """Asks the process to end, then ends its whole session by force; returns when the process is gone."""
    if process.poll() is None:
        process.send_signal(sig)
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            pass
    kill_session(process.pid)
    process.wait()


def kill_session(leader: int) -> None:
    """Kills what is left of the process group that `leader` opened; none left is fine."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def wait_until(done: Callable[[], bool], *, timeout_seconds: float, pause_seconds: float = 0.02) -> bool:
    """Calls `done` until it is true or the time is over; says which."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        if done():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause_seconds)
