"""`make test-hub`: the whole service in its own processes, asked by the newest client and by an old one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.environments import ROOT, Environment
from registry.embedded.stack import Stack
from tests.hub.clients import run_checks


class ClientEnvironment(Environment):
    """An environment of a client of another major version than the one in Bearing's own."""

    @property
    def folder(self) -> Path:
        return ROOT / ".bearing" / "hub-clients" / self.name

    @property
    def requirements(self) -> Path:
        return Path(__file__).with_name(f"{self.name}.txt")


OLD = ClientEnvironment("huggingface_hub-0", ("huggingface_hub",))


@pytest.fixture(scope="module")
def there(live_stack: Stack) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.hub.shelf"]
    said = subprocess.run(
        command, cwd=ROOT, env=live_stack.environment, check=True, capture_output=True, text=True, timeout=120
    )
    return dict(json.loads(said.stdout.strip().splitlines()[-1]))


@pytest.mark.parametrize(("client", "host"), [("2.", "127.0.0.1"), ("0.", "127.0.0.1"), ("2.", "localhost")])
def test_client_works_with_the_whole_service(
    client: str, host: str, live_stack: Stack, there: dict[str, Any], tmp_path: Path
) -> None:
    OLD.install()
    python = OLD.python if client == "0." else Path(sys.executable)
    said = run_checks(python, f"http://{host}:{live_stack.port}", tmp_path, there)
    assert said["client"].startswith(client)
