"""`bearing run migrate`: what is sent, and what is shown."""

import json
from typing import Any

import pytest

from steering_core.client import Hub

RUN = "00000000-0000-4000-8000-000000000001"
ASKED = ("run", "migrate", "acme/kind@1.0.0", "--model", "acme/two", "--vector", "kind-two")
QUEUED = {"id": RUN, "kind": "migrate", "state": "queued", "stage": "queued", "progress": 0.0, "attempt": 0}


@pytest.fixture(autouse=True)
def endpoint(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands ask the test's own server."""
    monkeypatch.setenv("BEARING_ENDPOINT", server.url)


def test_migration_start_sends_what_is_asked_with_a_key_of_its_own(server: Any, hub: Hub) -> None:
    server.on("POST /migrations", QUEUED)

    for _ in range(2):
        hub.migration_start("acme/kind@1.0.0", base_model="acme/two", vector="kind-two")

    first, second = server.seen
    assert json.loads(first.body) == {
        "source": "acme/kind@1.0.0",
        "base_model": "acme/two",
        "vector": "kind-two",
        "tier": "standard",
    }
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]


def test_run_migrate_no_wait_only_starts(bearing: Any, server: Any) -> None:
    server.on("POST /migrations", QUEUED)

    done = bearing(*ASKED, "--tier", "smoke", "--no-wait", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"run": QUEUED, "version": None}
    assert json.loads(server.seen[0].body)["tier"] == "smoke"
    assert len(server.seen) == 1


def test_run_migrate_follows_the_run_to_its_end(bearing: Any, server: Any) -> None:
    error = {"class": "user", "code": "evaluation.no_map", "message": "the map explains nothing"}
    server.on("POST /migrations", QUEUED)
    server.on(f"GET /runs/{RUN}", {**QUEUED, "state": "failed", "error": error})
    server.on(f"GET /runs/{RUN}/events", {"items": []})

    done = bearing(*ASKED)

    assert done.exit_code == 1
    assert "error: the map explains nothing (evaluation.no_map)" in done.stderr
