"""A worker killed with `kill -9` at any point costs seconds, never a run and never a second result.

Two runs at each of six points: every run ends published exactly once. `FAULT_ROUNDS=5`, for an idle machine,
makes it twenty and asks that each is claimed again within 15 seconds. Each goes through the real worker, the
demo model and the real stores; the marker files of `registry.core.faults` say where its first attempt dies.
"""

import itertools
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

IS_IDLE = "FAULT_ROUNDS" in os.environ
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
# As many at once as the worker has processes, so that recovery is measured and not the queue.
BATCH = 4 if IS_IDLE else 2
# Lease, sweep and a fresh process. Beside the rest of the suite that process waits for the machine's cores.
RECOVERY_SECONDS = 15 if IS_IDLE else 60

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


@pytest.mark.timeout(300 + 300 * ROUNDS)
def test_runs_whose_worker_is_killed_end_published_exactly_once(
    processes: Processes, demo_model: BaseModelRevision, wait_for: Wait
) -> None:
    processes.start_worker(concurrency=BATCH)
    processes.start_sweeper()
    owner = make_user()
    dataset = make_text_dataset(owner=owner)
    for number, point in itertools.product(range(ROUNDS), POINTS):
        names = [f"vector-{number}-{point.replace('_', '-')}-{k}" for k in range(BATCH)]
        ids = [
            start_doomed(owner, processes, str(dataset), demo_model.model_hash, point, name).pk
            for name in names
        ]
        batch = Run.objects.select_related("vector_version").filter(pk__in=ids)
        wait_for(lambda batch=batch: batch.filter(state__in=TERMINAL).count() == BATCH, 90)
        # A marker that is left was never reached; the last one is, after the commit that ends the run.
        wait_for(lambda: not list(processes.faults.iterdir()), 10)
        for run in batch.all():
            assert run.state == RunState.SUCCEEDED, point
            assert recovery_seconds(run) < RECOVERY_SECONDS, point
            blob_read(sha256=run.vector_version.artifact_id)
            released = VectorVersion.objects.filter(vector=run.vector_version.vector_id)
            assert [version.state for version in released] == [VersionState.PUBLISHED], point
