"""The two servers: start, stop, start again, and what a kill leaves behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from registry.embedded import postgres, servers, valkey
from registry.embedded.places import find_places, remove
from registry.embedded.process import wait_until
from registry.embedded.servers import embedded_servers


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder that leaves nothing behind, in /var/lib neither."""
    yield tmp_path
    servers.stop(tmp_path)
    remove(find_places(tmp_path))


def count_tables(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'kept'").fetchone()
    assert row is not None
    return int(row[0])


def test_servers_fresh_folder_answer_and_stop(folder: Path) -> None:
    with embedded_servers(folder, persistent=False) as urls:
        with psycopg.connect(urls.database_url) as connection:
            version = connection.info.server_version
            connection.execute("CREATE EXTENSION vector")
        assert version // 10000 == 18
        with redis.Redis.from_url(urls.redis_url) as client:
            assert client.info("server")["valkey_version"].startswith("9.")
    assert servers.running(folder) is None


def test_servers_second_start_reuses_data_within_a_second(folder: Path) -> None:
    with embedded_servers(folder, persistent=True) as urls:
        with psycopg.connect(urls.database_url) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        with redis.Redis.from_url(urls.redis_url) as client:
            client.set("kept", "yes")
    started = time.monotonic()
    with embedded_servers(folder, persistent=True) as urls:
        seconds = time.monotonic() - started
        assert count_tables(urls.database_url) == 1
        with redis.Redis.from_url(urls.redis_url) as client:
            assert client.get("kept") == b"yes"
    print(f"second start: {seconds:.2f} s")
    assert seconds < 5, "a start on existing data takes well under a second on a free machine"


def test_start_and_stop_twice_is_harmless(folder: Path) -> None:
    first = servers.start(folder, persistent=False)
    try:
        second = servers.start(folder, persistent=False)
        assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)
        assert second.postgres is None
        assert second.valkey is None
        with embedded_servers(folder, persistent=False):
            pass
        assert servers.running(folder) is not None, "the block must leave servers alone that ran before"
    finally:
        servers.stop(folder)
        servers.stop(folder)
    assert servers.running(folder) is None
    assert first.postgres is not None
    assert first.valkey is not None
    first.postgres.wait(5)
    first.valkey.wait(5)


def test_servers_killed_start_again_on_the_same_data(folder: Path) -> None:
    urls = servers.start(folder, persistent=True)
    with psycopg.connect(urls.database_url) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    assert urls.postgres is not None
    assert urls.valkey is not None
    for process in (urls.postgres, urls.valkey):
        process.kill()
        process.wait()
    assert (find_places(folder).cluster / "postmaster.pid").exists()
    with embedded_servers(folder, persistent=True) as again:
        assert count_tables(again.database_url) == 1


def test_postgres_pid_file_of_another_program_is_removed(folder: Path) -> None:
    with embedded_servers(folder, persistent=True):
        pass
    places = find_places(folder)
    lock = places.cluster / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{places.cluster}\n0\n5432\n")
    with embedded_servers(folder, persistent=True) as urls:
        assert count_tables(urls.database_url) == 0


def test_servers_parent_killed_leaves_no_orphan(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from registry.embedded.servers import embedded_servers\n"
        "with embedded_servers(Path(sys.argv[1]), persistent=False) as s:\n"
        "    print(s.postgres.pid, s.valkey.pid, flush=True); time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pids = [int(word) for word in parent.stdout.readline().split()]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert len(pids) == 2
    assert wait_until(lambda: not any(map(psutil.pid_exists, pids)), timeout_seconds=15)


def test_postgres_listens_on_no_network_address_and_valkey_on_loopback_only(folder: Path) -> None:
    with embedded_servers(folder, persistent=False) as urls:
        assert urls.postgres is not None
        assert urls.valkey is not None
        assert listening(urls.postgres.pid) == set()
        assert listening(urls.valkey.pid) == {"127.0.0.1"}
        assert find_places(folder).socket.stat().st_mode & 0o077 == 0


def listening(pid: int) -> set[str]:
    connections = psutil.Process(pid).net_connections(kind="inet")
    return {str(item.laddr[0]) for item in connections if item.status == psutil.CONN_LISTEN}


def test_valkey_wrong_password_is_refused(folder: Path) -> None:
    with embedded_servers(folder, persistent=False):
        address = valkey.saved_address(find_places(folder))
        assert address is not None
        assert not valkey.is_ready(valkey.Address(address.port, "wrong"))
        assert find_places(folder).state.stat().st_mode & 0o077 == 0


def test_socket_path_stays_short_when_the_folder_is_deep(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    with embedded_servers(deep, persistent=False) as urls:
        assert len(str(find_places(deep).socket)) < 90
        assert count_tables(urls.database_url) == 0


def test_postgres_behind_a_closed_folder_runs_and_never_as_root(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    expected = "nobody" if os.geteuid() == 0 else psutil.Process().username()
    with embedded_servers(closed / "data", persistent=False) as urls:
        assert urls.postgres is not None
        assert psutil.Process(urls.postgres.pid).username() == expected
        assert postgres.is_ready(find_places(closed / "data"))
