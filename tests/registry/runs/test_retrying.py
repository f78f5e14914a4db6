"""Starting again what ended without a result; what a run will take; facts on the way."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from registry.core.errors import ConflictError, InvalidError
from registry.runs.estimates import extraction_estimates, planned_rows
from registry.runs.leases import run_claim, run_found
from registry.runs.models import Run
from registry.runs.retrying import run_retry
from registry.runs.selectors import queue_get
from registry.runs.services import extraction_start, run_cancel
from registry.runs.states import RunState
from tests.factories import make_base_model, make_vector_version

pytestmark = pytest.mark.django_db


def test_retry_asks_for_the_same_once(owner: Any, request_for: Callable[..., Any]) -> None:
    asked = request_for(method="pca", tier="smoke", publish_version="1.0.0", license="MIT")
    run = extraction_start(actor=owner, request=asked)[0]
    with pytest.raises(ConflictError, match="cancel it"):
        run_retry(actor=owner, run_id=str(run.pk))
    run_cancel(actor=owner, run_id=str(run.pk))
    again, is_new = run_retry(actor=owner, run_id=str(run.pk))
    assert (is_new, again.state, again.publish_as["version"]) == (True, RunState.QUEUED, "1.0.0")
    assert again.vector_version.spec == run.vector_version.spec
    assert run_retry(actor=owner, run_id=str(run.pk)) == (again, False)


def test_retry_of_what_succeeded_is_refused(owner: Any) -> None:
    run = make_vector_version(owner=owner).run
    with pytest.raises(ConflictError, match="result is there"):
        run_retry(actor=owner, run_id=str(run.pk))


def test_estimate_rests_on_runs_of_the_tier_and_counts_texts_without_one(owner: Any) -> None:
    run = make_vector_version(owner=owner).run
    Run.objects.filter(pk=run.pk).update(finished_at=F("started_at") + timedelta(seconds=40))
    found = {row.tier: row for row in extraction_estimates(base_model=make_base_model(), n_pairs=20)}
    assert (found["standard"].n_runs, found["standard"].seconds) == (1, (40.0, 40.0, 40.0))
    assert found["standard"].pairs == (20, 20)
    assert (found["gold"].n_runs, found["gold"].seconds) == (0, None)
    assert found["gold"].forward_rows == planned_rows("gold", 20) > planned_rows("smoke", 20)


def test_queue_says_how_many_came_before(owner: Any, request_for: Callable[..., Any]) -> None:
    first, second = (extraction_start(actor=owner, request=request_for(vector=name))[0] for name in "ab")
    Run.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(minutes=1))
    assert (queue_get(run=second).ahead, queue_get().waiting) == (1, 2)
    run_claim(run_id=str(first.pk))
    assert (queue_get(run=second).ahead, queue_get(run=second).working) == (0, 1)


def test_facts_go_into_the_log_of_whoever_holds_the_lease(run: Run) -> None:
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    mine = {"run_id": claim.run_id, "lease_token": claim.lease_token, "message": "found"}
    facts = {"kind": "place", "site": "resid_post", "block": 2, "pooling": "next_turn", "strength": 0.3}
    assert run_found(**mine, facts=facts)
    assert run.events.last().data == facts
    assert not run_found(**{**mine, "lease_token": claim.lease_token - 1}, facts=facts)
    for wrong in (
        {"kind": "song"},
        {"kind": "places", "x": float("nan")},
        {"kind": "places", "x": "x" * 50_000},
    ):
        with pytest.raises(InvalidError):
            run_found(**mine, facts=wrong)
