from datetime import timedelta

from django.db.models.functions import Now

from registry.runs.leases import run_claim
from registry.runs.models import Run
from registry.runs.states import ErrorClass, RunState
from registry.runs.sweeping import runs_sweep

LONG_AGO = timedelta(hours=1)


def lapse(run: Run, **changes: object) -> None:
    Run.objects.filter(pk=run.pk).update(
        lease_until=Now() - LONG_AGO, notified_at=Now() - LONG_AGO, **changes
    )


def test_runs_sweep_rings_for_a_run_that_was_never_rung(run: Run) -> None:
    sweep = runs_sweep()

    run.refresh_from_db()
    assert sweep.rung == 1
    assert run.notified_at is not None
    assert runs_sweep().rung == 0


def test_runs_sweep_rings_for_a_lapsed_lease(run: Run) -> None:
    run_claim(run_id=str(run.pk))
    lapse(run)

    assert runs_sweep().rung == 1


def test_runs_sweep_leaves_a_working_run_alone(run: Run) -> None:
    run_claim(run_id=str(run.pk))
    Run.objects.filter(pk=run.pk).update(notified_at=Now() - LONG_AGO)

    sweep = runs_sweep()

    assert (sweep.ended, sweep.rung) == (0, 0)


def test_runs_sweep_waits_for_the_time_of_a_retry(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(not_before=Now() + LONG_AGO)

    assert runs_sweep().rung == 0


def test_runs_sweep_gives_up_a_run_that_lost_every_attempt(run: Run, settings: object) -> None:
    run_claim(run_id=str(run.pk))
    lapse(run, attempt=settings.RUN_MAX_ATTEMPTS)  # type: ignore[attr-defined]

    assert runs_sweep().ended == 1

    run.refresh_from_db()
    assert (run.state, run.error_class) == (RunState.FAILED, ErrorClass.POISON)


def test_runs_sweep_ends_a_run_past_its_deadline(run: Run) -> None:
    run_claim(run_id=str(run.pk))
    lapse(run, deadline_at=Now() - LONG_AGO)

    runs_sweep()

    run.refresh_from_db()
    assert run.state == RunState.TIMED_OUT


def test_runs_sweep_cancels_a_run_whose_worker_died_before_it_could(run: Run) -> None:
    run_claim(run_id=str(run.pk))
    lapse(run, cancel_requested=True)

    runs_sweep()

    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
