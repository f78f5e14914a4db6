"""Real worker and sweeper processes on the test database, started per test and stopped with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from registry.embedded import valkey
from steering_core.demo.paths import weights_path

ROOT = Path(__file__).resolve().parents[2]


class Processes:
    """Child processes in groups of their own, so that a whole worker can be killed at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults = folder / "faults"
        self.faults.mkdir()
        self.children: list[subprocess.Popen[bytes]] = []
        self.extra: dict[str, str] = {}

    def environment(self) -> dict[str, str]:
        database = os.environ["DATABASE_URL"]
        before, separator, after = database.partition("?")
        base = before.rpartition("/")[0]
        url = f"{base}/{connection.settings_dict['NAME']}{separator}{after}"
        return {
            **os.environ,
            "DATABASE_URL": url,
            "BEARING_FAULTS_PATH": str(self.faults),
            "BLOB_STORE_PATH": settings.BLOB_STORE_PATH,
            "RUN_LEASE_SECONDS": "2",
            "OMP_NUM_THREADS": "1",
            **self.extra,
        }

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{len(self.children)}.log").open("wb") as log:
            child = subprocess.Popen(
                command, cwd=ROOT, env=self.environment(), stdout=log, stderr=log, start_new_session=True
            )
        self.children.append(child)
        return child

    def output(self, *command: str) -> str:
        """What a command prints; it must end well within a minute."""
        return subprocess.check_output(command, cwd=ROOT, env=self.environment(), text=True, timeout=60)

    def start_worker(self, concurrency: int = 2, queues: str = "gpu,cpu") -> subprocess.Popen[bytes]:
        """A worker that is ready to hear the doorbell."""
        worker = self.start(
            *(
                sys.executable,
                "-m",
                "celery",
                "-A",
                "workers.celery",
                "worker",
                "--pool",
                "prefork",
                "-c",
                str(concurrency),
            ),
            *("-Q", queues, "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        )
        log = self.folder / f"{len(self.children) - 1}.log"
        end = time.monotonic() + 60
        while " ready" not in log.read_text(errors="replace"):
            if worker.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the worker did not start:\n{self.logs()}")
            time.sleep(0.1)
        return worker

    def start_sweeper(self) -> subprocess.Popen[bytes]:
        return self.start(sys.executable, "manage.py", "sweep_runs")

    def start_broker(self, port: int) -> subprocess.Popen[bytes]:
        """A Valkey of this test's own, without persistence: what it held is gone when it ends."""
        self.extra["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        options = {
            "bind": "127.0.0.1",
            "port": str(port),
            "save": "",
            "appendonly": "no",
            "dir": str(self.folder),
        }
        return self.start(str(valkey.binary()), *(word for k, v in options.items() for word in (f"--{k}", v)))

    def send(self, child: subprocess.Popen[bytes], number: int) -> None:
        """A signal to the child and everything it started."""
        os.killpg(child.pid, number)

    def kill(self, child: subprocess.Popen[bytes]) -> None:
        self.send(child, signal.SIGKILL)
        child.wait(timeout=30)

    def logs(self) -> str:
        return "\n".join(
            path.read_text(errors="replace")[-4000:] for path in sorted(self.folder.glob("*.log"))
        )

    def stop(self) -> None:
        for child in self.children:
            if child.poll() is None:
                self.kill(child)


@pytest.fixture
def processes(transactional_db: None, tmp_path: Path) -> Iterator[Processes]:
    running = Processes(tmp_path)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def demo_model(transactional_db: None) -> Any:
    # Imported here: a conftest beside the tests may be read before Django is set up.
    from registry.catalog.base_models import base_model_register

    return base_model_register(path=weights_path(), name="bearing/demo", scorer="demo")[0]


@pytest.fixture
def wait_for(processes: Processes) -> Callable[[Callable[[], bool], float], None]:
    """Poll until something holds; a timeout shows the end of every process's log."""

    def wait(holds: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if holds():
                return
            time.sleep(0.2)
        raise AssertionError(f"not within {seconds} s; logs:\n{processes.logs()}")

    return wait
