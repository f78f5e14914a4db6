"""A worker killed with `kill -9` at any point costs seconds, never a run and never a second result.

Four runs at each of six points: every run ends published exactly once. `FAULT_ROUNDS=5`, for an idle machine,
makes it twenty and asks that each is claimed again within 15 seconds. Each goes through the real worker, the
demo model and the real stores; the marker files of `registry.core.faults` say where its first attempt dies.
"""

import os
from collections.abc import Callable

import pytest
from django.db import transaction
from django.db.models import Max, Min

from registry.accounts.models import User
from registry.catalog.models import BaseModelRevision, VectorVersion
from registry.catalog.states import VersionState
from registry.core.faults import POINTS
from registry.runs.models import Run
from registry.runs.services import ExtractionRequest, extraction_start
from registry.runs.states import TERMINAL, RunState
from registry.storage.services import blob_read
from tests.factories import make_text_dataset, make_user
from tests.flows.conftest import Processes

# As many at once as the worker has processes, so that recovery is measured and not the queue.
ROUNDS, BATCH = int(os.environ.get("FAULT_ROUNDS", "1")), 4
# Lease, sweep and a fresh process. Beside the rest of the suite that process waits for the machine's cores.
RECOVERY_SECONDS = 15 if "FAULT_ROUNDS" in os.environ else 60

Wait = Callable[[Callable[[], bool], float], None]


def start_doomed(owner: User, processes: Processes, dataset: str, model: str, point: str, name: str) -> Run:
    """Queue a run whose first attempt will be killed at this point; the marker is there before the ring."""
    request = ExtractionRequest(
        dataset=dataset,
        base_model=model,
        vector=name,
        tier="smoke",
        publish_version="1.0.0",
        license="MIT",
        visibility="private",
    )
    with transaction.atomic():
        run, _ = extraction_start(actor=owner, request=request, idempotency_key=name)
        (processes.faults / f"{run.pk}.{point}").touch()
    return run


def recovery_seconds(run: Run) -> float:
    """From the last sign of the killed attempt to the claim that brought the result."""
    first = run.events.filter(attempt__lt=run.attempt).aggregate(at=Max("at"))["at"]
    again = run.events.filter(attempt=run.attempt).aggregate(at=Min("at"))["at"]
    return float((again - first).total_seconds())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("point", POINTS)
def test_runs_whose_worker_is_killed_end_published_exactly_once(
    point: str, processes: Processes, demo_model: BaseModelRevision, wait_for: Wait
) -> None:
    processes.start_worker(concurrency=BATCH)
    processes.start_sweeper()
    owner = make_user()
    dataset = make_text_dataset(owner=owner)

    for round_number in range(ROUNDS):
        names = [f"vector-{round_number}-{k}" for k in range(BATCH)]
        runs = [
            start_doomed(owner, processes, str(dataset), demo_model.model_hash, point, name) for name in names
        ]
        ids = [run.pk for run in runs]
        wait_for(lambda ids=ids: Run.objects.filter(pk__in=ids, state__in=TERMINAL).count() == BATCH, 90)

    # A marker that is left was never reached; the last one is, after the commit that ends the run.
    wait_for(lambda: not list(processes.faults.iterdir()), 10)
    finished = list(Run.objects.select_related("vector_version"))
    assert [run.state for run in finished] == [RunState.SUCCEEDED] * (ROUNDS * BATCH)
    for run in finished:
        released = VectorVersion.objects.filter(
            vector=run.vector_version.vector_id, state=VersionState.PUBLISHED
        )
        assert released.count() == 1
        blob_read(sha256=run.vector_version.artifact_id)
        assert recovery_seconds(run) < RECOVERY_SECONDS
