"""Every service's own command and health check, run here; only addresses differ from the containers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from registry.embedded import postgres
from registry.embedded.places import Places, find_places, remove
from registry.embedded.process import end, spawn, wait_until
from registry.embedded.servers import embedded_servers
from registry.embedded.valkey import binary, free_port
from tests.deploy.compose_reader import ROOT

START_SECONDS = 120.0


@pytest.fixture(scope="module")
def environment(
    compose: dict[str, Any], s3_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of the `web` service, on embedded servers with a migrated database."""
    data = tmp_path_factory.mktemp("deploy")
    with embedded_servers(data, persistent=False) as urls:
        addresses = {
            "DATABASE_URL": urls.database_url,
            "REDIS_URL": urls.redis_url,
            "S3_ENDPOINT_URL": s3_server,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        values = {**os.environ, **compose["services"]["web"]["environment"], **addresses}
        migrate = native(compose["services"]["migrate"]["command"])
        done = subprocess.run(migrate, cwd=ROOT, env=values, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        yield values


def native(command: list[str]) -> list[str]:
    """The same command with the programs of this virtual environment."""
    programs = {"python": sys.executable}
    folder = Path(sys.executable).parent
    return [programs.get(command[0], str(folder / command[0])), *command[1:]]


@contextmanager
def running(command: list[str], log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = spawn(command, log=log, env=env, cwd=ROOT)
    try:
        yield process
    finally:
        end(process, grace_seconds=20)


def becomes_true(check: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    settled = wait_until(
        lambda: process.poll() is not None or check(), timeout_seconds=START_SECONDS, pause_seconds=0.3
    )
    assert settled, log.read_text()
    assert process.poll() is None, log.read_text()


def succeeds(command: list[str], env: dict[str, str]) -> bool:
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True).returncode == 0


def ends_in_order(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_web_command_serves_and_its_health_check_passes(
    compose: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    web, port = compose["services"]["web"], free_port()
    command = [word.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for word in native(web["command"])]
    assert command != native(web["command"])
    check = [
        word.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for word in native(web["healthcheck"]["test"][1:])
    ]
    with running(command, tmp_path / "web.log", environment) as process:
        becomes_true(lambda: succeeds(check, environment), process, tmp_path / "web.log")
        ends_in_order(process)


@pytest.mark.parametrize("name", ["worker-cpu", "worker-gpu"])
def test_worker_command_answers_its_health_check(
    compose: dict[str, Any], environment: dict[str, str], tmp_path: Path, name: str
) -> None:
    service = compose["services"][name]
    form, check = service["healthcheck"]["test"]
    assert form == "CMD-SHELL"
    env = {**environment, "HOME": str(tmp_path)}
    with running(native(service["command"]), tmp_path / "worker.log", env) as process:
        becomes_true(lambda: succeeds(["/bin/sh", "-c", check], env), process, tmp_path / "worker.log")
        ends_in_order(process)


def test_sweeper_command_runs_and_its_health_check_passes(
    compose: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    sweeper = compose["services"]["sweeper"]
    check = native(sweeper["healthcheck"]["test"][1:])
    log = tmp_path / "sweeper.log"
    with running(native(sweeper["command"]), log, environment) as process:
        becomes_true(lambda: "sweeper started" in log.read_text(), process, log)
        assert succeeds(check, environment)
        ends_in_order(process)


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    found = find_places(tmp_path)
    yield found
    remove(found)


def test_postgres_command_starts_with_its_flags(compose: dict[str, Any], places: Places) -> None:
    service = compose["services"]["postgres"]
    assert set(service["environment"]["POSTGRES_INITDB_ARGS"].split()) == set(postgres.INITDB)
    postgres.make_cluster(places, persistent=False)
    program, *flags = service["command"]
    folders = ["-D", str(places.cluster), "-k", str(places.socket), "-c", "listen_addresses="]
    command = [str(places.binaries / program), *folders, *flags]
    process = spawn(command, log=places.logs / "postgres.log", cwd=Path("/"), owner=places.owner)
    try:
        assert postgres.answers(places, process)
        with psycopg.connect(postgres.database_url(places, "postgres")) as connection:
            row = connection.execute("SHOW log_min_duration_statement").fetchone()
        assert row == ("1s",)
    finally:
        postgres.stop(places, process)


def test_valkey_configuration_keeps_data_over_a_restart(compose: dict[str, Any], tmp_path: Path) -> None:
    port = free_port()
    text = compose["configs"]["valkey"]["content"]
    text = text.replace("dir /data", f"dir {tmp_path}").replace("bind * -::*", "bind 127.0.0.1")
    config = tmp_path / "valkey.conf"
    config.write_text(f"{text}\nport {port}\n")
    password = compose["services"]["valkey"]["environment"]["REDISCLI_AUTH"]
    for expected in (None, b"yes"):
        with (
            running([str(binary()), str(config)], tmp_path / "valkey.log", dict(os.environ)) as process,
            redis.Redis(port=port, password=password) as client,
        ):
            becomes_true(lambda client=client: answers(client), process, tmp_path / "valkey.log")  # type: ignore[misc]
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.get("kept") == expected
            client.set("kept", "yes")


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
