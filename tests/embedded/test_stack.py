"""The whole service under supervision: it comes up, stays up, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from registry.embedded.errors import EmbeddedError
from registry.embedded.parts import LONGEST_PAUSE_SECONDS, Part, Supervised
from registry.embedded.process import kill_session, wait_until
from registry.embedded.servers import Servers
from registry.embedded.settings import secret_key, service_environment
from registry.embedded.stack import Stack, choose_port, only_one
from registry.embedded.valkey import free_port, is_free

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0


def test_stack_answers_and_its_parts_run(live_stack: Stack) -> None:
    assert httpx.get(f"{live_stack.url}/healthz", trust_env=False).json() == {"status": "ok"}
    assert [item.part.name for item in live_stack.supervised] == ["web", "worker", "playground", "sweeper"]
    for item in live_stack.supervised:
        assert item.process is not None
        assert item.process.poll() is None


def test_stack_part_killed_is_started_again(live_stack: Stack) -> None:
    sweeper = live_stack.supervised[2]
    assert sweeper.process is not None
    before = sweeper.process.pid
    sweeper.process.kill()
    assert wait_until(
        lambda: sweeper.process is not None and sweeper.process.pid != before, timeout_seconds=15
    )


def test_stack_on_the_same_data_is_refused(live_stack: Stack) -> None:
    with pytest.raises(EmbeddedError, match="already runs"), only_one(live_stack.data):
        pass


@contextmanager
def serving(data: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`serve` in a process of its own, once it answers."""
    command = [sys.executable, "-m", "registry.embedded", "--data", str(data), "serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "serves on" in process.stdout.readline()
            yield process
        finally:
            process.kill()
            with subprocess.Popen([*command[:5], "erase"], cwd=ROOT, stdout=subprocess.DEVNULL) as erase:
                erase.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_serve_stopped_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    with serving(tmp_path, port) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 8, "postgres, valkey, gunicorn, celery and sweeper with their own children"
        process.send_signal(number)
        process.wait(60)
        assert wait_until(lambda: not any(map(is_alive, children)), timeout_seconds=30), children
        assert is_free(port)
        if number != signal.SIGKILL:
            assert process.returncode == 0


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_port_taken_is_refused_when_asked_for_and_replaced_otherwise() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EmbeddedError, match="is taken"):
            choose_port(taken.getsockname()[1])
    assert choose_port(None) > 0


def test_part_that_keeps_ending_waits_longer_each_time(tmp_path: Path) -> None:
    part = Supervised(
        Part("false", (sys.executable, "-c", "raise SystemExit(3)")), tmp_path / "log", os.environ
    )
    notices = [part.plan_restart(0.0, 3) for _ in range(8)]
    assert "status 3" in notices[0]
    assert "in 1 s" in notices[0]
    assert "in 4 s" in notices[2]
    assert f"in {LONGEST_PAUSE_SECONDS:.0f} s" in notices[-1]


def test_management_command_that_fails_shows_its_log(live_stack: Stack) -> None:
    with pytest.raises(EmbeddedError, match="Unknown command: 'no_such_command'"):
        live_stack.manage("no_such_command")


def test_secret_key_is_made_once_and_private(tmp_path: Path) -> None:
    first = secret_key(tmp_path)
    assert secret_key(tmp_path) == first
    assert len(first) >= 50
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_environment_does_not_leak_another_deployment(tmp_path: Path) -> None:
    environment = service_environment(tmp_path, Servers("postgresql://d", "redis://r"))
    assert environment["BLOB_STORE_PATH"].startswith(str(tmp_path))
    assert not any(name.startswith("S3_") for name in environment)
    assert json.dumps(environment)


def test_kill_session_of_a_gone_process_is_harmless() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as process:
        process.wait()
    kill_session(process.pid)
