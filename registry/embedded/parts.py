"""The service's processes and their command lines; docker-compose.yml runs the same ones.

`stack` supervises them.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from registry.embedded.process import end, spawn
from registry.embedded.settings import ROOT

STABLE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the service; it may take `grace_seconds` to end in order. `settings` are its own."""

    name: str
    command: tuple[str, ...]
    grace_seconds: float = 10.0
    settings: Mapping[str, str] = field(default_factory=dict)


def web(port: int) -> Part:
    command = (sys.executable, "-m", "gunicorn", "registry.wsgi", "--bind", f"127.0.0.1:{port}")
    options = ("--worker-class", "gthread", "--workers", "2", "--threads", "32", "--graceful-timeout", "5")
    return Part("web", (*command, *options, "--access-logfile", "-", "--no-control-socket"))


def worker() -> Part:
    """Ends fast: a run that is cut off is taken up again at the next start.

    One thread for torch: the demo model is so small that several would only wait for each other.
    """
    command = (sys.executable, "-m", "celery", "-A", "workers.celery", "worker", "--loglevel", "INFO")
    options = ("--pool", "prefork", "-c", "1", "--without-gossip", "--without-mingle", "-Q", "gpu,cpu")
    return Part("worker", (*command, *options), grace_seconds=3.0, settings={"OMP_NUM_THREADS": "1"})


def playground() -> Part:
    """A worker of its own for the mixer, so that nobody waits there for a run to end."""
    command = (sys.executable, "-m", "celery", "-A", "workers.celery", "worker", "--loglevel", "INFO")
    options = ("--pool", "prefork", "-c", "1", "--without-gossip", "--without-mingle", "-Q", "playground")
    named = (*options, "-n", "playground@%h")
    return Part("playground", (*command, *named), grace_seconds=2.0, settings={"OMP_NUM_THREADS": "1"})


def sweeper() -> Part:
    return Part("sweeper", manage("sweep_runs"))


def manage(*arguments: str) -> tuple[str, ...]:
    """The command line of a management command."""
    return (sys.executable, str(ROOT / "manage.py"), *arguments)


@dataclass(slots=True)
class Supervised:
    """A part while the stack runs: its process, and when to start it again if it ended by itself."""

    part: Part
    log: Path
    environment: Mapping[str, str] = field(repr=False)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    start_again_at: float = 0.0

    def start(self) -> None:
        environment = {**self.part.settings, **self.environment}
        self.process = spawn(self.part.command, log=self.log, env=environment, cwd=ROOT)
        self.started = time.monotonic()

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process, sig=signal.SIGTERM, grace_seconds=self.part.grace_seconds)

    def look_after(self) -> str | None:
        """Starts the part again when it ended and its pause is over; returns what there is to say."""
        status = None if self.process is None else self.process.poll()
        if status is None:
            return None
        now = time.monotonic()
        if self.start_again_at == 0.0:
            return self.plan_restart(now, status)
        if now < self.start_again_at:
            return None
        self.start_again_at = 0.0
        self.start()
        return None

    def plan_restart(self, now: float, status: int) -> str:
        """Waits twice as long after every quick end; a part that ran for a while starts afresh."""
        self.failures = 1 if now - self.started > STABLE_SECONDS else self.failures + 1
        pause = min(2.0 ** (self.failures - 1), LONGEST_PAUSE_SECONDS)
        self.start_again_at = now + pause
        return f"{self.part.name} ended with status {status}; starting again in {pause:.0f} s ({self.log})"


def inherited_environment() -> dict[str, str]:
    """The caller's environment without settings of another deployment."""
    foreign = ("S3_", "DJANGO_", "RUN_", "THROTTLE_", "BEARING_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
