"""What becomes of a run when its body does this or that. The bodies are the tests'; everything else is
real.
"""

import time

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError

from registry.celery import app
from registry.playground.dispatch import PLAY
from registry.runs import task_names
from registry.runs.claims import ArtifactResult, RunClaim
from registry.runs.models import Run
from registry.runs.services import ExtractionRequest, extraction_start, run_cancel
from registry.runs.states import RunState
from registry.serving.conversions import CONVERT
from registry.storage.blobs import BlobStoreError
from steering_core.errors import ExtractionError, ModelMismatchError
from steering_core.evaluation.evaluate import Progress
from tests.factories import make_artifact, make_base_model, make_dataset_version, make_user
from tests.reports import make_report
from workers.run_task import Body, run_task

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run() -> Run:
    owner = make_user()
    request = ExtractionRequest(
        dataset=str(make_dataset_version(owner=owner)),
        base_model=make_base_model().model_hash,
        vector="formality",
    )
    return extraction_start(actor=owner, request=request)[0]


def good(claim: RunClaim, progress: Progress) -> ArtifactResult:
    progress("extract", 0.5, "half way")
    return ArtifactResult(artifact=make_artifact(), report=make_report())


def raising(error: BaseException) -> Body:
    def body(claim: RunClaim, progress: Progress) -> ArtifactResult:
        raise error

    return body


def perform(run: Run, body: Body) -> Run:
    """Call the task as a worker would, in this process."""
    name = f"test.{time.monotonic_ns()}"
    run_task(name)(body)(str(run.pk))
    del app.tasks[name]
    run.refresh_from_db()
    return run


def test_run_task_with_a_good_body_succeeds(run: Run) -> None:
    perform(run, good)

    assert run.state == RunState.SUCCEEDED
    assert run.events.filter(stage="extract", message="half way").exists()


def test_run_task_on_an_ended_run_does_nothing(run: Run) -> None:
    perform(run, good)

    perform(run, raising(ExtractionError("must not be called")))

    assert run.state == RunState.SUCCEEDED


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (
            ExtractionError("poles look the same", code="extraction.no_difference"),
            "failed",
            "extraction.no_difference",
        ),
        (ModelMismatchError("the folder changed"), "queued", ""),
        (BlobStoreError("S3 is away"), "queued", ""),
        (MemoryError(), "queued", ""),
        (RuntimeError("a bug"), "queued", ""),
        (SoftTimeLimitExceeded(), "timed_out", "run.timed_out"),
    ],
)
def test_run_task_turns_an_error_into_an_outcome(run: Run, error: Exception, state: str, code: str) -> None:
    perform(run, raising(error))

    assert (run.state, run.error_code) == (state, code)


def test_run_task_shows_a_users_error_and_hides_ours(run: Run) -> None:
    for _ in range(3):
        Run.objects.filter(pk=run.pk).update(not_before=None)
        perform(run, raising(RuntimeError("secret path /srv/models")))

    assert run.state == RunState.FAILED
    assert "secret" not in run.error_message


def test_run_task_with_the_database_away_leaves_the_run_to_the_sweeper(run: Run) -> None:
    perform(run, raising(OperationalError("connection refused")))

    assert run.state == RunState.RUNNING


def test_run_task_stops_at_the_next_step_after_a_cancel(run: Run) -> None:
    def body(claim: RunClaim, progress: Progress) -> ArtifactResult:
        run_cancel(actor=run.owner, run_id=claim.run_id)
        for _ in range(100):
            time.sleep(0.1)
            progress("extract", 0.5, "working")
        raise AssertionError("the cancel was not noticed")

    perform(run, body)

    assert run.state == RunState.CANCELLED


def test_run_task_keeps_the_lease_of_a_body_that_takes_long(run: Run, settings: object) -> None:
    settings.RUN_LEASE_SECONDS = 0.6  # type: ignore[attr-defined]

    def body(claim: RunClaim, progress: Progress) -> ArtifactResult:
        time.sleep(2)
        return good(claim, progress)

    perform(run, body)

    assert (run.state, run.attempt) == (RunState.SUCCEEDED, 1)


def test_run_task_stops_a_body_whose_lease_was_taken_over(run: Run) -> None:
    def body(claim: RunClaim, progress: Progress) -> ArtifactResult:
        Run.objects.filter(pk=run.pk).update(lease_token=claim.lease_token + 1)
        progress("extract", 0.5, "working")
        raise AssertionError("the lost lease was not noticed")

    perform(run, body)

    assert run.state == RunState.RUNNING


def test_every_task_name_is_registered_once() -> None:
    import workers.celery  # noqa: F401  registers the tasks

    ours = [name for name in app.tasks if name.startswith("bearing.")]

    assert sorted(ours) == sorted([*task_names.QUEUE_OF, CONVERT, PLAY])
