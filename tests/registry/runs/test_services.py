import threading
from collections.abc import Callable

import pytest
from django.db import connection

from registry.accounts.models import User
from registry.catalog.models import VectorVersion
from registry.catalog.states import VersionState
from registry.core.errors import ConflictError, InvalidError, NotFoundError, QuotaExceededError
from registry.runs.leases import run_claim
from registry.runs.models import Run
from registry.runs.selectors import run_get
from registry.runs.services import ExtractionRequest, extraction_start, run_cancel
from registry.runs.states import RunState
from tests.factories import make_dataset_version, make_user

Build = Callable[..., ExtractionRequest]


def test_extraction_start_makes_a_queued_run_and_a_draft(run: Run) -> None:
    assert run.state == RunState.QUEUED
    assert run.vector_version.state == VersionState.DRAFT
    assert [event.stage for event in run.events.all()] == ["queued"]


def test_extraction_start_with_a_used_key_gives_the_same_run(owner: User, request_for: Build) -> None:
    first, is_new = extraction_start(actor=owner, request=request_for(), idempotency_key="k")
    second, is_new_again = extraction_start(actor=owner, request=request_for(), idempotency_key="k")

    assert first == second
    assert (is_new, is_new_again) == (True, False)
    assert Run.objects.count() == 1


def test_extraction_start_with_a_used_key_for_another_request_is_refused(
    owner: User, request_for: Build
) -> None:
    extraction_start(actor=owner, request=request_for(), idempotency_key="k")

    with pytest.raises(InvalidError, match="different request") as caught:
        extraction_start(actor=owner, request=request_for(vector="other"), idempotency_key="k")

    assert caught.value.code == "idempotency.mismatch"


def test_extraction_start_with_two_owners_and_one_key_gives_two_runs(owner: User, request_for: Build) -> None:
    other = make_user(username="other")
    theirs = make_dataset_version(owner=other)
    mine, _ = extraction_start(actor=owner, request=request_for(), idempotency_key="k")

    hers, _ = extraction_start(actor=other, request=request_for(dataset=str(theirs)), idempotency_key="k")

    assert mine != hers


@pytest.mark.django_db(transaction=True)
def test_extraction_start_raced_with_one_key_gives_one_run(owner: User, request_for: Build) -> None:
    found: list[Run] = []

    def start() -> None:
        try:
            found.append(extraction_start(actor=owner, request=request_for(), idempotency_key="k")[0])
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len({run.pk for run in found}) == 1


def test_extraction_start_on_a_private_dataset_of_another_is_not_found(request_for: Build) -> None:
    with pytest.raises(NotFoundError):
        extraction_start(actor=make_user(username="stranger"), request=request_for())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"dataset": "nonsense"}, "dataset.reference_invalid"),
        ({"vector": "Not A Slug"}, "name.invalid"),
        ({"method": "magic"}, "extraction.unknown_method"),
        ({"pooling": "magic"}, "extraction.unknown_pooling"),
        ({"tier": "magic"}, "extraction.unknown_tier"),
        ({"publish_version": "1.0"}, "version.invalid"),
        ({"publish_version": "1.0.0", "license": "WTFPL"}, "license.invalid"),
        ({"publish_version": "1.0.0", "license": "MIT", "visibility": "secret"}, "visibility.invalid"),
    ],
)
def test_extraction_start_refuses(owner: User, request_for: Build, change: dict[str, str], code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        extraction_start(actor=owner, request=request_for(**change))

    assert caught.value.code == code
    assert not Run.objects.exists()


def test_extraction_start_with_a_taken_version_is_refused_at_once(owner: User, request_for: Build) -> None:
    taken = extraction_start(actor=owner, request=request_for())[0].vector_version
    VectorVersion.objects.filter(pk=taken.pk).update(version="1.0.0")

    with pytest.raises(ConflictError) as caught:
        extraction_start(actor=owner, request=request_for(publish_version="1.0.0", license="MIT"))

    assert caught.value.code == "version.taken"


def test_extraction_start_past_the_quota_is_refused(
    owner: User, request_for: Build, settings: object
) -> None:
    settings.RUN_MAX_QUEUED_PER_USER = 2  # type: ignore[attr-defined]
    for name in ("a", "b"):
        extraction_start(actor=owner, request=request_for(vector=name))

    with pytest.raises(QuotaExceededError):
        extraction_start(actor=owner, request=request_for(vector="c"))


def test_run_cancel_of_a_queued_run_ends_it_and_its_draft(owner: User, run: Run) -> None:
    run_cancel(actor=owner, run_id=str(run.pk))

    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert run.vector_version.state == VersionState.FAILED
    assert run_claim(run_id=str(run.pk)) is None


def test_run_cancel_of_a_running_run_asks_its_worker(owner: User, run: Run) -> None:
    run_claim(run_id=str(run.pk))

    run_cancel(actor=owner, run_id=str(run.pk))

    run.refresh_from_db()
    assert (run.state, run.cancel_requested) == (RunState.RUNNING, True)


def test_run_cancel_of_an_ended_run_is_refused(owner: User, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)

    with pytest.raises(ConflictError):
        run_cancel(actor=owner, run_id=str(run.pk))


def test_run_get_of_another_owner_is_not_found(run: Run) -> None:
    with pytest.raises(NotFoundError):
        run_get(viewer=make_user(username="stranger"), run_id=str(run.pk))


@pytest.mark.parametrize("run_id", ["x", "", "\0"])
def test_run_get_of_no_id_is_not_found(owner: User, run_id: str) -> None:
    with pytest.raises(NotFoundError):
        run_get(viewer=owner, run_id=run_id)
