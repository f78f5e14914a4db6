"""Runs as they go on: server-sent events with resumption, and `Prefer: wait`."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings

from registry.runs import watching
from registry.runs.leases import run_claim, run_progress
from registry.runs.models import Run
from registry.runs.services import run_cancel
from tests.api.conftest import Api
from tests.factories import make_base_model, make_dataset_version, make_run

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def run(owner: Api) -> Run:
    return make_run(owner=owner.user)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`steps(f, g)` has these happen in the pauses between two looks; after them the time is over."""

    def planned(*acts: Callable[[], Any]) -> None:
        left, clock = iter(acts), [0.0]

        def pause(_: float) -> None:
            act = next(left, None)
            clock[0] += 1000 if act is None else 0.01
            if act is not None:
                act()

        monkeypatch.setattr(watching, "sleep", pause)
        monkeypatch.setattr(watching, "monotonic", lambda: clock[0])

    return planned


def events(answer: Any) -> list[tuple[str, str, Any]]:
    """(id, event, data) of a stream."""
    found = []
    for block in b"".join(answer.streaming_content).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


def test_stream_gives_log_and_run_until_the_run_ends(
    owner: Api, run: Run, steps: Callable[..., None]
) -> None:
    def work() -> None:
        claim = run_claim(run_id=str(run.pk))
        assert claim is not None
        run_progress(
            run_id=claim.run_id,
            lease_token=claim.lease_token,
            stage="extract",
            progress=0.5,
            message="reading",
        )

    steps(work, lambda: None, lambda: run_cancel(actor=owner.user, run_id=str(run.pk)), lambda: None)
    answer = owner.get(f"/runs/{run.pk}/events", **STREAM)
    assert (answer["Content-Type"], answer["X-Accel-Buffering"]) == ("text/event-stream", "no")
    assert answer["Cache-Control"] == "private, no-store"
    got = events(answer)

    shown = [(data["state"], data["cancel_requested"]) for _, kind, data in got if kind == "run"]
    assert shown == [("queued", False), ("running", False), ("running", True)]
    log = owner.get(f"/runs/{run.pk}/events").json()["items"]
    assert [data for _, kind, data in got if kind == "log"] == log
    assert [int(name) for name, kind, _ in got if kind == "log"] == [line["id"] for line in log]
    # What came before a state of the run stands before it.
    assert [kind for _, kind, _ in got][-1] == "run"

    # Whoever comes back has the rest, by the header or by the parameter.
    known = log[0]["id"]
    steps()
    rest = owner.get(f"/runs/{run.pk}/events", **STREAM, **{"Last-Event-ID": str(known)})
    assert [name for name, kind, _ in events(rest) if kind == "log"] == [str(line["id"]) for line in log[1:]]
    steps()
    rest = owner.get(f"/runs/{run.pk}/events?after={known}", **STREAM, **{"Last-Event-ID": "x"})
    assert len([kind for _, kind, _ in events(rest) if kind == "log"]) == len(log) - 1


def test_stream_of_a_run_that_has_ended_ends_and_tells_who_comes_back(owner: Api, run: Run) -> None:
    run_cancel(actor=owner.user, run_id=str(run.pk))
    path = f"/runs/{run.pk}/events"
    got = events(owner.get(path, **STREAM))
    assert (got[-1][1], got[-1][2]["state"]) == ("run", "cancelled")
    last = max(int(name) for name, _, _ in got if name)
    assert owner.get(path, **STREAM, **{"Last-Event-ID": str(last)}).status_code == 204
    assert owner.get(path, **STREAM, **{"Last-Event-ID": str(last - 1)}).status_code == 200
    # Without asking for a stream, the list is as it was.
    assert owner.get(path).json()["items"][-1]["id"] == last


def test_quiet_stream_says_that_it_lives_and_ends_in_bounded_time(
    owner: Api, run: Run, steps: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0)
    steps(lambda: None)
    text = b"".join(owner.get(f"/runs/{run.pk}/events", **STREAM).streaming_content)
    assert text.startswith(b"retry: 1000\n\n")
    assert b": nothing new\n\n" in text


@override_settings(RUN_WATCHERS=0)
def test_without_a_place_one_look_is_given_and_no_wait(owner: Api, run: Run) -> None:
    text = b"".join(owner.get(f"/runs/{run.pk}/events", **STREAM).streaming_content)
    assert text.startswith(b"retry: 5000\n\n")
    assert text.count(b"event: run") == 1
    assert not owner.get(f"/runs/{run.pk}", Prefer="wait=30").has_header("Preference-Applied")


def test_places_are_given_back(owner: Api, run: Run, steps: Callable[..., None]) -> None:
    with override_settings(RUN_WATCHERS=1):
        for _ in range(2):
            steps()
            abandoned = owner.get(f"/runs/{run.pk}/events", **STREAM)
            assert next(abandoned.streaming_content) == b"retry: 1000\n\n"
            # As the server does when the other side has gone.
            abandoned._iterator.close()
    assert watching.WATCHERS.taken == 0


def test_each_look_is_one_query(run: Run, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        watching.run_glance(run_id=run.pk)


def test_get_waits_for_the_end_as_long_as_is_preferred(
    owner: Api, run: Run, steps: Callable[..., None]
) -> None:
    path = f"/runs/{run.pk}"
    steps()
    answer = owner.get(path, Prefer="respond-async, wait=1000")
    assert (answer.json()["state"], answer["Preference-Applied"]) == ("queued", "wait=60")
    for text in ("wait", "wait=x", "await=3", ""):
        assert not owner.get(path, Prefer=text).has_header("Preference-Applied")
    steps(lambda: run_cancel(actor=owner.user, run_id=str(run.pk)))
    assert owner.get(path, Prefer="wait=5").json()["state"] == "cancelled"


def test_start_waits_too_and_is_200_once_the_run_has_ended(owner: Api, steps: Callable[..., None]) -> None:
    make_base_model()
    body = {
        "dataset": str(make_dataset_version(owner=owner.user)),
        "base_model": "bearing/demo",
        "vector": "formality",
    }
    steps()
    queued = owner.post("/runs", body, Prefer="wait=1", **{"Idempotency-Key": "once"})
    assert (queued.status_code, queued["Preference-Applied"]) == (202, "wait=1")
    run_id = queued.json()["id"]
    steps(lambda: run_cancel(actor=owner.user, run_id=run_id))
    done = owner.post("/runs", body, Prefer="wait=1", **{"Idempotency-Key": "once"})
    assert (done.status_code, done.json()["id"], done.json()["state"]) == (200, run_id, "cancelled")
    assert done["Location"] == queued["Location"]


def test_stream_is_for_those_who_see_the_run(other: Api, nobody: Api, run: Run) -> None:
    assert other.get(f"/runs/{run.pk}/events", **STREAM).status_code == 404
    assert nobody.get(f"/runs/{run.pk}/events", **STREAM).status_code == 401
