"""The broker is flushed, restarted or cut, a whole worker is killed or frozen: the run still ends, once."""

import signal
import sys
from collections.abc import Callable

import pytest
import redis

from registry.accounts.models import User
from registry.catalog.models import BaseModelRevision, VectorVersion
from registry.catalog.states import VersionState
from registry.embedded.valkey import free_port
from registry.runs.models import Run
from registry.runs.services import ExtractionRequest, extraction_start
from registry.runs.states import RunState
from tests.factories import make_demo_dataset, make_text_dataset, make_user
from tests.flows.conftest import Processes

Wait = Callable[[Callable[[], bool], float], None]

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def start(demo_model: BaseModelRevision) -> Callable[[], Run]:
    owner: User = make_user()
    short, long = make_text_dataset(owner=owner), make_demo_dataset(owner=owner, n=24)

    def begin(lasts: bool = False) -> Run:
        name, dataset = f"vector-{Run.objects.count()}", long if lasts else short
        request = ExtractionRequest(
            dataset=str(dataset), base_model=demo_model.model_hash, vector=name, tier="smoke"
        )
        return extraction_start(actor=owner, request=request)[0]

    return begin


def is_in(run: Run, *states: str) -> Callable[[], bool]:
    return lambda: Run.objects.filter(pk=run.pk, state__in=states).exists()


def test_a_restarted_broker_loses_no_run(
    processes: Processes, start: Callable[[], Run], wait_for: Wait
) -> None:
    port = free_port()
    broker = processes.start_broker(port)
    processes.start_worker(concurrency=1)
    processes.start_sweeper()
    before = start()
    wait_for(is_in(before, RunState.SUCCEEDED), 60)

    processes.kill(broker)
    while_away = start()
    processes.start_broker(port)

    wait_for(is_in(while_away, RunState.SUCCEEDED), 90)


def test_a_sweep_without_a_broker_keeps_every_run_for_the_next_sweep(
    processes: Processes, start: Callable[[], Run]
) -> None:
    run = start()
    Run.objects.filter(pk=run.pk).update(notified_at=None)

    processes.extra["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    without = processes.output(sys.executable, "manage.py", "sweep_runs", "--once")
    del processes.extra["REDIS_URL"]
    with_broker = processes.output(sys.executable, "manage.py", "sweep_runs", "--once")

    assert "ended 0, rang for 0" in without
    assert "ended 0, rang for 1" in with_broker


def test_a_killed_worker_process_loses_no_run(
    processes: Processes, start: Callable[..., Run], wait_for: Wait
) -> None:
    worker = processes.start_worker(concurrency=1)
    processes.start_sweeper()
    run = start(lasts=True)
    wait_for(is_in(run, RunState.RUNNING), 60)

    processes.kill(worker)
    processes.start_worker(concurrency=1)

    wait_for(is_in(run, RunState.SUCCEEDED), 150)
    run.refresh_from_db()
    assert run.attempt == 2


def test_a_frozen_worker_that_wakes_up_late_writes_nothing(
    processes: Processes, start: Callable[..., Run], wait_for: Wait
) -> None:
    zombie = processes.start_worker(concurrency=1)
    processes.start_sweeper()
    run = start(lasts=True)
    wait_for(is_in(run, RunState.RUNNING), 60)

    processes.send(zombie, signal.SIGSTOP)
    processes.start_worker(concurrency=1)
    wait_for(is_in(run, RunState.SUCCEEDED), 150)
    finished = Run.objects.get(pk=run.pk)
    processes.send(zombie, signal.SIGCONT)

    wait_for(lambda: "lease was lost" in processes.logs(), 90)
    run.refresh_from_db()
    assert (run.attempt, run.lease_token, run.finished_at) == (2, finished.lease_token, finished.finished_at)
    assert VectorVersion.objects.filter(state=VersionState.EXTRACTED).count() == 1


def test_a_flushed_broker_loses_no_run_and_two_workers_do_each_once(
    processes: Processes, start: Callable[[], Run], wait_for: Wait, redis_url: str
) -> None:
    lost = [start() for _ in range(2)]
    redis.Redis.from_url(redis_url).flushall()
    processes.start_worker(concurrency=1)
    processes.start_worker(concurrency=1)
    processes.start_sweeper()
    runs = [*lost, *(start() for _ in range(2))]

    for run in runs:
        wait_for(is_in(run, RunState.SUCCEEDED), 90)

    assert {Run.objects.get(pk=run.pk).attempt for run in runs} == {1}
