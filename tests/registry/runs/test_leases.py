import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from registry.catalog.models import VectorVersion
from registry.catalog.selectors import version_conformance
from registry.catalog.states import VersionState
from registry.core.errors import InvalidError, NotFoundError
from registry.runs.claims import ArtifactResult, RunClaim
from registry.runs.leases import run_claim, run_complete, run_fail, run_heartbeat, run_progress
from registry.runs.models import Run
from registry.runs.selectors import run_statistics
from registry.runs.services import run_cancel
from registry.runs.states import ErrorClass, RunState
from registry.storage.models import Blob
from registry.storage.services import blob_read
from tests.factories import make_artifact, make_certificate, make_statistics
from tests.reports import make_report


def claimed(run: Run) -> RunClaim:
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    return claim


def let_the_lease_lapse(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))


def result() -> ArtifactResult:
    return ArtifactResult(make_artifact(), make_report(), make_statistics(), make_certificate())


def test_run_claim_takes_a_queued_run_once(run: Run) -> None:
    first = run_claim(run_id=str(run.pk))
    second = run_claim(run_id=str(run.pk))

    assert first is not None
    assert (first.attempt, first.lease_token) == (1, 1)
    assert second is None


def test_run_claim_takes_over_a_lapsed_lease_with_a_higher_token(run: Run) -> None:
    first = claimed(run)
    let_the_lease_lapse(run)

    second = claimed(run)

    assert (second.attempt, second.lease_token) == (2, first.lease_token + 1)


def test_run_claim_after_the_last_attempt_takes_nothing(run: Run, settings: object) -> None:
    for _ in range(settings.RUN_MAX_ATTEMPTS):  # type: ignore[attr-defined]
        claimed(run)
        let_the_lease_lapse(run)

    assert run_claim(run_id=str(run.pk)) is None


def test_run_claim_before_its_time_takes_nothing(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(not_before=Now() + timedelta(minutes=1))

    assert run_claim(run_id=str(run.pk)) is None


@pytest.mark.django_db(transaction=True)
def test_run_claim_raced_by_many_workers_is_won_by_one(run: Run) -> None:
    claims: list[RunClaim | None] = []
    barrier = threading.Barrier(8)

    def claim() -> None:
        barrier.wait()
        try:
            claims.append(run_claim(run_id=str(run.pk)))
        finally:
            connection.close()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(claims) == 8
    assert sum(claim is not None for claim in claims) == 1


def test_run_heartbeat_extends_the_lease_of_its_own_token(run: Run) -> None:
    claim = claimed(run)
    Run.objects.filter(pk=run.pk).update(lease_until=Now())

    verdict = run_heartbeat(run_id=claim.run_id, lease_token=claim.lease_token)

    assert verdict == "ok"
    assert Run.objects.filter(pk=run.pk, lease_until__gt=Now()).exists()


def test_run_heartbeat_of_a_taken_over_run_is_lost(run: Run) -> None:
    zombie = claimed(run)
    let_the_lease_lapse(run)
    claimed(run)

    assert run_heartbeat(run_id=zombie.run_id, lease_token=zombie.lease_token) == "lost"


def test_run_heartbeat_past_the_deadline_says_so(run: Run) -> None:
    claim = claimed(run)
    Run.objects.filter(pk=run.pk).update(deadline_at=Now() - timedelta(seconds=1))

    assert run_heartbeat(run_id=claim.run_id, lease_token=claim.lease_token) == "timed_out"


def test_run_heartbeat_of_a_cancelled_run_says_so(run: Run) -> None:
    claim = claimed(run)
    run_cancel(actor=run.owner, run_id=claim.run_id)

    assert run_heartbeat(run_id=claim.run_id, lease_token=claim.lease_token) == "cancel"


def test_run_progress_is_recorded_with_an_event(run: Run) -> None:
    claim = claimed(run)

    assert run_progress(
        run_id=claim.run_id,
        lease_token=claim.lease_token,
        stage="extract",
        progress=0.4,
        message="block 2 of 4",
    )

    run.refresh_from_db()
    assert (run.stage, run.progress) == ("extract", 0.4)
    assert run.events.last().message == "block 2 of 4"


def test_run_progress_within_a_stage_moves_and_logs_nothing(run: Run) -> None:
    claim = claimed(run)
    for fraction in (0.1, 0.2, 0.3):
        run_progress(
            run_id=claim.run_id,
            lease_token=claim.lease_token,
            stage="extract",
            progress=fraction,
            message="reading",
        )

    run.refresh_from_db()
    assert run.progress == 0.3
    assert run.events.filter(stage="extract").count() == 1


def test_run_progress_with_an_old_token_writes_nothing(run: Run) -> None:
    zombie = claimed(run)
    let_the_lease_lapse(run)
    claimed(run)

    assert not run_progress(
        run_id=zombie.run_id, lease_token=zombie.lease_token, stage="x", progress=0.9, message="late"
    )

    run.refresh_from_db()
    assert run.progress == 0.0


def test_run_complete_attaches_the_artifact_and_ends_the_run(run: Run) -> None:
    claim = claimed(run)

    assert run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result())

    run.refresh_from_db()
    version = VectorVersion.objects.get(pk=run.vector_version_id)
    assert run.state == RunState.SUCCEEDED
    assert version.state == VersionState.EXTRACTED
    assert version.manifest["digest"] == version.digest
    assert version.verdict == "pass"


def test_run_complete_by_a_zombie_is_dropped(run: Run) -> None:
    zombie = claimed(run)
    let_the_lease_lapse(run)
    living = claimed(run)

    assert not run_complete(run_id=zombie.run_id, lease_token=zombie.lease_token, result=result())
    assert run_complete(run_id=living.run_id, lease_token=living.lease_token, result=result())
    assert not run_complete(run_id=living.run_id, lease_token=living.lease_token, result=result())


def test_run_complete_keeps_the_statistics(run: Run) -> None:
    claim = claimed(run)

    run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result())

    run.refresh_from_db()
    kept = run_statistics(run=run)
    assert blob_read(sha256=kept.sha256) == make_statistics()
    assert (kept.state, kept.media_type) == (
        Blob.State.STORED,
        "application/vnd.bearing.statistics+safetensors",
    )


def test_run_complete_without_statistics_keeps_none(run: Run) -> None:
    claim = claimed(run)

    run_complete(
        run_id=claim.run_id,
        lease_token=claim.lease_token,
        result=ArtifactResult(make_artifact(), make_report()),
    )

    run.refresh_from_db()
    with pytest.raises(NotFoundError) as refused:
        run_statistics(run=run)
    assert (run.state, refused.value.code) == (RunState.SUCCEEDED, "run.no_statistics")


def test_run_complete_by_a_zombie_sets_no_statistics(run: Run) -> None:
    zombie = claimed(run)
    let_the_lease_lapse(run)
    claimed(run)

    assert not run_complete(run_id=zombie.run_id, lease_token=zombie.lease_token, result=result())

    run.refresh_from_db()
    assert run.statistics is None


def test_run_complete_keeps_the_certificate_with_the_version(run: Run) -> None:
    claim = claimed(run)

    run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result())

    version = VectorVersion.objects.get(pk=run.vector_version_id)
    kept = version_conformance(version=version)
    assert blob_read(sha256=kept.sha256) == make_certificate()
    assert (kept.state, version.conformance_missing) == (Blob.State.STORED, "")


def test_run_complete_without_a_certificate_keeps_why(run: Run) -> None:
    claim = claimed(run)

    run_complete(
        run_id=claim.run_id,
        lease_token=claim.lease_token,
        result=ArtifactResult(make_artifact(), make_report(), conformance_missing="too small"),
    )

    version = VectorVersion.objects.get(pk=run.vector_version_id)
    with pytest.raises(NotFoundError, match="too small") as refused:
        version_conformance(version=version)
    assert (version.state, refused.value.code) == (VersionState.EXTRACTED, "conformance.not_found")


@pytest.mark.parametrize(
    ("certificate", "code"),
    [(make_certificate(seed=1), "conformance.other_vector"), (b"{}", "conformance.")],
)
def test_run_complete_with_a_certificate_of_something_else_is_refused(
    run: Run, certificate: bytes, code: str
) -> None:
    claim = claimed(run)

    with pytest.raises(InvalidError) as refused:
        run_complete(
            run_id=claim.run_id,
            lease_token=claim.lease_token,
            result=ArtifactResult(make_artifact(), make_report(), conformance=certificate),
        )

    run.refresh_from_db()
    assert refused.value.code.startswith(code)
    assert run.state == RunState.RUNNING


def test_run_complete_with_a_broken_artifact_is_refused_and_changes_nothing(run: Run) -> None:
    claim = claimed(run)

    with pytest.raises(InvalidError):
        run_complete(
            run_id=claim.run_id,
            lease_token=claim.lease_token,
            result=ArtifactResult(artifact=b"not a vector", report=make_report()),
        )

    run.refresh_from_db()
    assert run.state == RunState.RUNNING


def test_run_complete_publishes_as_wished(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(
        publish_as={"version": "1.0.0", "license": "MIT", "visibility": "public"}
    )
    claim = claimed(run)

    run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result())

    version = VectorVersion.objects.select_related("vector").get(pk=run.vector_version_id)
    assert (version.state, version.version) == (VersionState.PUBLISHED, "1.0.0")
    assert version.vector.latest == version
    assert version.vector.visibility == "public"


def test_run_complete_with_a_taken_version_keeps_the_work(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(publish_as={"version": "1.0.0", "license": "MIT", "visibility": ""})
    taken = VectorVersion.objects.get(pk=run.vector_version_id)
    VectorVersion.objects.create(
        vector=taken.vector,
        version="1.0.0",
        state=VersionState.DRAFT,
        base_model=taken.base_model,
        dataset_version=taken.dataset_version,
        spec=taken.spec,
        spec_digest=taken.spec_digest,
    )
    claim = claimed(run)

    assert run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result())

    taken.refresh_from_db()
    assert taken.state == VersionState.EXTRACTED
    assert run.events.filter(message__contains="not published").exists()


@pytest.mark.parametrize(
    ("safety", "visibility", "said"),
    [("fail", "private", "fails the safety screen"), ("insufficient", "public", "only be private")],
)
def test_run_complete_with_a_wish_that_the_screen_refuses_keeps_the_work(
    run: Run, safety: str, visibility: str, said: str
) -> None:
    wish = {"version": "1.0.0", "license": "MIT", "visibility": visibility}
    Run.objects.filter(pk=run.pk).update(publish_as=wish)
    claim = claimed(run)
    found = replace(result(), report=make_report("pass", safety))

    assert run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=found)

    version = VectorVersion.objects.select_related("vector").get(pk=run.vector_version_id)
    assert (version.state, version.version) == (VersionState.EXTRACTED, None)
    assert version.vector.visibility == "private"
    assert said in run.events.get(stage="publish").message


def test_run_fail_with_a_user_error_ends_the_run_with_its_message(run: Run) -> None:
    claim = claimed(run)

    run_fail(
        run_id=claim.run_id,
        lease_token=claim.lease_token,
        error_class=ErrorClass.USER,
        code="extraction.no_difference",
        message="the poles look the same",
    )

    run.refresh_from_db()
    assert (run.state, run.error_code) == (RunState.FAILED, "extraction.no_difference")
    assert run.vector_version.state == VersionState.FAILED
    assert run.finished_at is not None


def test_run_fail_with_a_platform_error_queues_until_attempts_are_spent(run: Run, settings: object) -> None:
    states = []
    for _ in range(settings.RUN_MAX_ATTEMPTS):  # type: ignore[attr-defined]
        Run.objects.filter(pk=run.pk).update(not_before=None)
        claim = claimed(run)
        run_fail(
            run_id=claim.run_id,
            lease_token=claim.lease_token,
            error_class=ErrorClass.PLATFORM,
            code="blob.store_unavailable",
            message="hidden",
        )
        run.refresh_from_db()
        states.append(run.state)

    assert states == [RunState.QUEUED, RunState.QUEUED, RunState.FAILED]


@pytest.mark.parametrize(
    ("error_class", "state"),
    [(ErrorClass.CANCELLED, RunState.CANCELLED), (ErrorClass.TIMED_OUT, RunState.TIMED_OUT)],
)
def test_run_fail_by_cancel_or_time_limit_has_its_own_state(run: Run, error_class: str, state: str) -> None:
    claim = claimed(run)

    run_fail(
        run_id=claim.run_id,
        lease_token=claim.lease_token,
        error_class=ErrorClass(error_class),
        code="c",
        message="m",
    )

    run.refresh_from_db()
    assert run.state == state
