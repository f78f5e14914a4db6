"""`make test-hub`: the whole service in its own processes, asked by the newest client and by an old one.

Its bytes are in a folder, or in S3, which sends them itself.
"""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from benchmarks.peers.environments import ROOT, Environment
from registry.embedded.stack import Stack, running_stack
from registry.embedded.valkey import free_port
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
def stack_on_s3(s3_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    bucket = f"hub-{secrets.token_hex(4)}"
    access = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1", **access).create_bucket(Bucket=bucket)
    settings = {
        "DJANGO_SETTINGS_MODULE": "registry.settings.test",
        "S3_BUCKET": bucket,
        "S3_ENDPOINT_URL": s3_server,
        "S3_ACCESS_KEY_ID": "any",
        "S3_SECRET_ACCESS_KEY": "any",
    }
    data = tmp_path_factory.mktemp("s3")
    with running_stack(data, port=free_port(), persistent=False, settings=settings) as stack:
        yield stack


@pytest.fixture(scope="module", params=["live_stack", "stack_on_s3"])
def stack(request: pytest.FixtureRequest) -> Stack:
    found: Stack = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def there(stack: Stack) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.hub.shelf"]
    said = subprocess.run(
        command, cwd=ROOT, env=stack.environment, check=True, capture_output=True, text=True, timeout=120
    )
    return dict(json.loads(said.stdout.strip().splitlines()[-1]))


@pytest.mark.parametrize(("client", "host"), [("2.", "127.0.0.1"), ("0.", "127.0.0.1"), ("2.", "localhost")])
def test_client_works_with_the_whole_service(
    client: str, host: str, stack: Stack, there: dict[str, Any], tmp_path: Path
) -> None:
    OLD.install()
    python = OLD.python if client == "0." else Path(sys.executable)
    said = run_checks(python, f"http://{host}:{stack.port}", tmp_path, there)
    assert said["client"].startswith(client)
