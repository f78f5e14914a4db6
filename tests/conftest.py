"""Tests of the service run on a real PostgreSQL 18, a real Valkey 9 and, where asked, an S3 server.

They start before Django reads its settings and end with the test session. Tests of `steering_core` alone
start none of this.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from registry.embedded.process import end, spawn, wait_until
from registry.embedded.servers import embedded_servers
from registry.embedded.stack import Stack, running_stack
from registry.embedded.valkey import free_port
from tests.chromium import find_chromium

ROOT = Path(__file__).resolve().parents[1]
# Tests that need no Django: the library's, and those that start servers of their own.
WITHOUT_DJANGO = tuple(
    ROOT / "tests" / name for name in ("steering_core", "embedded", "deploy", "engines", "hub")
)
# Tests that start processes or a browser.
LONG = tuple(ROOT / "tests" / name for name in ("embedded", "deploy", "flows", "browser"))
SESSION = ExitStack()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # With pytest-xdist the tests run in its worker processes; each has servers of its own.
    only_hands_out = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if config.option.help or config.option.collectonly or only_hands_out or needs_no_django(config):
        return
    import django

    data = Path(tempfile.mkdtemp(prefix="bearing-test-"))
    SESSION.callback(shutil.rmtree, data, ignore_errors=True)
    servers = SESSION.enter_context(embedded_servers(data, persistent=False))
    os.environ.update(
        DATABASE_URL=servers.database_url,
        REDIS_URL=servers.redis_url,
        BLOB_STORE_PATH=str(data / "blobs"),
        SECRET_KEY="only-for-tests",
        DJANGO_SETTINGS_MODULE="registry.settings.test",
    )
    django.setup()


def pytest_unconfigure() -> None:
    SESSION.close()


def needs_no_django(config: pytest.Config) -> bool:
    """Whether every path on the command line lies in a folder of `WITHOUT_DJANGO`."""
    paths = [(config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in config.args]
    return bool(paths) and all(any(map(path.is_relative_to, WITHOUT_DJANGO)) for path in paths)


@pytest.fixture(autouse=True)
def nothing_is_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in any small registry. A search asks for it once in ten minutes, in whichever test that falls into,
    and some tests count queries; `tests/registry/discovery/test_frequency.py` has it asked.
    """
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        from registry.discovery import frequency

        monkeypatch.setattr(frequency, "statistics", lambda column: frequency.Statistics(0.0, {}))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that no process is left with it at the end; GPU tests say why they do
    not run.
    """
    # pytest-django has what empties the database run last.
    items.sort(key=lambda item: (empties_database(item), not any(map(item.path.is_relative_to, LONG))))
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked or has_gpu():
        return
    for item in marked:
        item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


def empties_database(item: pytest.Item) -> bool:
    """Whether the database is emptied after the test, for it commits."""
    marker = item.get_closest_marker("django_db")
    fixtures = getattr(item, "fixturenames", ())
    commits = marker is not None and marker.kwargs.get("transaction", False)
    return commits or "transactional_db" in fixtures or "live_server" in fixtures


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def database_url() -> str:
    """The embedded PostgreSQL; Django's own test database stands beside the one that this names."""
    return os.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
def redis_url() -> str:
    """The embedded Valkey."""
    return os.environ["REDIS_URL"]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint URL of a moto S3 server in a process of its own; any credentials are taken."""
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "moto.log"
    process = spawn([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], log=log)
    url = f"http://127.0.0.1:{port}"
    try:
        if not wait_until(lambda: answers(url, process), timeout_seconds=60, pause_seconds=0.1):
            raise RuntimeError(f"moto did not start: {log.read_text()}")
        yield url
    finally:
        end(process, grace_seconds=2)


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the server at {url} ended with status {process.returncode}")
    try:
        return httpx.get(url, timeout=2).status_code < 500
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def live_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole service in processes of its own, as `make serve` runs it, with the demo model registered."""
    data = tmp_path_factory.mktemp("live")
    settings = {"DJANGO_SETTINGS_MODULE": "registry.settings.test"}
    with running_stack(data, port=free_port(), persistent=False, settings=settings) as stack:
        yield stack


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser for Playwright's `executable_path`; its arguments are `tests.chromium.ARGUMENTS`."""
    found = find_chromium()
    if found is None:
        raise RuntimeError("no Chromium; run: python tests/chromium.py")
    return found
