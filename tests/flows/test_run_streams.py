"""A run followed by the client over a stream of the real web server, without asking again and again."""

import sys
import threading
from collections.abc import Callable

import httpx

from registry.embedded.valkey import free_port
from registry.runs.leases import run_claim, run_fail, run_progress
from registry.runs.states import ErrorClass
from steering_core.client import Hub
from tests.factories import make_run, make_token, make_user
from tests.flows.conftest import Processes

Wait = Callable[[Callable[[], bool], float], None]


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_client_follows_a_run_over_one_stream(processes: Processes, wait_for: Wait) -> None:
    owner = make_user()
    run, token, port = make_run(owner), make_token(owner), free_port()
    server = ("-m", "gunicorn", "registry.wsgi", "--bind", f"127.0.0.1:{port}", "--no-control-socket")
    threads = ("--worker-class", "gthread", "--threads", "4", "--access-logfile", "-")
    processes.start(sys.executable, *server, *threads)
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: answers(url), 60)

    followed: list[tuple[str, list[str]]] = []
    begun = threading.Event()

    def follow() -> None:
        with Hub(url, token, processes.folder / "home") as hub:
            for update in hub.run_wait(str(run.pk)):
                followed.append((update.run["state"], [event["message"] for event in update.events]))
                begun.set()

    follower = threading.Thread(target=follow)
    follower.start()
    assert begun.wait(30)
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    mine = {"run_id": claim.run_id, "lease_token": claim.lease_token}
    run_progress(**mine, stage="extract", progress=0.5, message="reading")
    wait_for(lambda: any("reading" in messages for _, messages in followed), 30)
    run_fail(**mine, error_class=ErrorClass.USER, code="extraction.failed", message="no direction")
    follower.join(30)

    assert not follower.is_alive()
    assert (followed[0][0], followed[-1][0]) == ("queued", "failed")

    def asked() -> list[str]:
        return [line for line in processes.logs().splitlines() if f"GET /api/v1/runs/{run.pk}" in line]

    # The run and its stream, once each; the log has a stream when it is over.
    wait_for(lambda: len(asked()) >= 2, 10)
    assert len(asked()) == 2, asked()
