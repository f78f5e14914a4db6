"""Requests of the mixer on a real Valkey: whose turn it is, what takes whose place, who may ask for what."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.catalog.selectors import base_model_get
from registry.core.errors import (
    InvalidError,
    NotAllowedError,
    NotFoundError,
    QuotaExceededError,
    UnavailableError,
)
from registry.core.valkey import valkey
from registry.playground import line
from registry.playground.cautions import mix_cautions
from registry.playground.events import Event, append, end, is_over, read, watch
from registry.playground.limits import Caller, caller_of, check_tokens, count_tokens
from registry.playground.services import (
    mix_members,
    play_cancel,
    play_get,
    play_snapshot,
    play_start,
)
from registry.playground.streams import play_stream
from registry.playground.wishes import Channel, Job, Part, Wish
from steering_core.formats.bearing import write_vector

ADA, BOB = Caller("user:ada", "user:ada", True), Caller("address:1:x", "address:1", False)


@pytest.fixture(autouse=True)
def empty_line() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    for key in valkey().scan_iter(f"{line.P}*"):
        valkey().delete(key)


@pytest.fixture
def wish(owner: Any) -> Wish:
    from tests.factories import make_vector_version

    make_vector_version(owner=owner)
    return Wish("bearing/demo", "how do i cook ?", ((Channel("acme/formality", 0.2),),))


def job(caller: str, number: int = 0) -> Job:
    parts = ((Part("ab" * 32, 0.2),),)
    asked = (f"{caller}-{number}", caller, caller, "/m", "sha256:0", "m", "p", False, parts, 0, 0.8, 9)
    return Job(*asked, asked_at=time.time())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d", "take"]), max_size=40))
def test_everybody_is_served_in_turn_however_often_others_ask(steps: list[str]) -> None:
    forget()
    expected: dict[str, Job] = {}
    for number, step in enumerate([*steps, *["take"] * 5]):
        if step != "take":
            # Who asks again keeps the place and exchanges the request; a dict keeps the order of places.
            expected[step] = job(step, number)
            assert line.line_enter(expected[step]).position == list(expected).index(step) + 1
            continue
        served = line.line_take()
        wanted = expected.pop(next(iter(expected))) if expected else None
        assert served == wanted


def test_a_newer_request_takes_the_place_of_the_last(wish: Wish, owner: Any) -> None:
    first = play_start(viewer=owner, caller=ADA, wish=wish)
    second = play_start(viewer=owner, caller=ADA, wish=replace(wish, seed=2))
    assert play_snapshot(caller=ADA, job_id=first.id).outcome["code"] == "playground.superseded"
    taken = line.line_take()
    assert taken is not None
    assert (taken.id, taken.seed, line.line_take()) == (second.id, 2, None)
    assert append(taken.id) == ("", True)
    third = play_start(viewer=owner, caller=ADA, wish=replace(wish, seed=3))
    assert append(taken.id)[0] == "superseded"
    play_cancel(caller=ADA, job_id=third.id)
    assert play_snapshot(caller=ADA, job_id=third.id).outcome["code"] == "playground.cancelled"
    assert line.line_take() is None
    with pytest.raises(NotFoundError):
        play_get(caller=BOB, job_id=second.id)


def test_a_watcher_sees_all_once_and_goes_on_where_it_was() -> None:
    asked = job(ADA.place)
    append(asked.id, Event("queued", {"position": line.line_enter(asked).position}))
    append(asked.id, Event("neutral", {"text": "one"}), Event("steered", {"mix": "a", "text": "two"}))
    seen = [event for event in watch(asked, seconds=0.1) if event]
    assert [event.kind for event in seen] == ["queued", "neutral", "steered"]
    assert end(asked, Event("done", {}))
    assert not end(asked, Event("error", {}))
    rest = [event for event in watch(asked, after=seen[1].id, seconds=5) if event]
    assert [event.kind for event in rest] == ["steered", "done"]
    assert is_over(asked.id, rest[-1].id)
    assert not is_over(asked.id, seen[0].id)
    assert play_snapshot(caller=ADA, job_id=asked.id).texts == {"neutral": "one", "a": "two"}
    with pytest.raises(NotFoundError):
        play_get(caller=BOB, job_id=asked.id)


def test_a_stream_needs_a_place_and_ends_with_the_request(settings: Any) -> None:
    asked = job(ADA.place)
    line.line_enter(asked)
    end(asked, Event("done", {"n_tokens": 1}))
    (last,) = read(asked.id)
    message = f'id: {last.id}\nevent: done\ndata: {{"n_tokens": 1}}\n\n'
    assert streamed(asked) == f"retry: 500\n\n{message}"
    assert play_stream(asked, after=last.id).status_code == 204
    settings.PLAYGROUND_STREAMS = 0
    assert streamed(asked) == "retry: 2000\n\n"


def test_what_is_written_after_the_end_does_not_count(wish: Wish, owner: Any) -> None:
    started = play_start(viewer=owner, caller=ADA, wish=wish)
    taken = line.line_take()
    assert taken is not None
    play_cancel(caller=ADA, job_id=started.id)
    # The worker hears of it with the answer to what it writes.
    assert append(taken.id, Event("neutral", {"text": "late"}))[0] == "cancelled"
    found = play_snapshot(caller=ADA, job_id=started.id)
    assert (found.state, found.texts) == ("failed", {})
    last = next(event for event in watch(taken, seconds=5) if event and event.is_last)
    assert is_over(taken.id, last.id)


def test_who_stops_waiting_leaves_the_line(wish: Wish, owner: Any) -> None:
    started = play_start(viewer=owner, caller=ADA, wish=wish)
    line.line_enter(job("bob"))
    assert line.line_position("bob") == 2
    play_cancel(caller=ADA, job_id=started.id)
    assert (line.line_position(ADA.place), line.line_position("bob")) == (0, 1)


def test_the_request_of_a_dead_worker_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "PULSE_SECONDS", 1)
    line.line_enter(job(ADA.place))
    taken = line.line_take()
    assert taken is not None
    last = [event for event in watch(taken, seconds=10) if event][-1]
    assert (last.kind, last.data["code"]) == ("error", "playground.worker_lost")
    assert "Try again" in last.data["detail"]


def test_whom_nobody_watches_is_passed_over() -> None:
    line.line_enter(job("gone"))
    line.line_enter(job("here"))
    valkey().delete(f"{line.P}watched:gone-0")
    taken = line.line_take()
    assert taken is not None
    assert taken.caller == "here"


def test_what_may_be_mixed_by_whom(wish: Wish, owner: Any, other: Any) -> None:
    from registry.catalog.models import Vector
    from tests.factories import make_base_model

    started = play_start(viewer=owner, caller=ADA, wish=wish)
    assert (started.position, started.cautions) == (1, ())
    twice = (Channel("acme/formality", 0.1), Channel("acme/formality@1.0.0", 0.1))
    for change, code in (
        ({"prompt": " "}, "playground.prompt"),
        ({"max_new_tokens": 129}, "playground.limits"),
        ({"temperature": float("nan")}, "playground.limits"),
        ({"mixes": ((Channel("acme/formality", 3.0),),)}, "playground.mix"),
        ({"mixes": (twice,)}, "playground.mix"),
    ):
        with pytest.raises(InvalidError) as caught:
            play_start(viewer=other, caller=BOB, wish=replace(wish, **change))
        assert caught.value.code == code
    Vector.objects.filter(name="formality").update(access="gated")
    with pytest.raises(NotAllowedError):
        play_start(viewer=other, caller=BOB, wish=wish)
    assert play_start(viewer=owner, caller=ADA, wish=wish).id != started.id
    Vector.objects.filter(name="formality").update(access="open", visibility="private")
    with pytest.raises(NotFoundError):
        play_start(viewer=other, caller=BOB, wish=wish)
    make_base_model("other", "sha256:" + "99" * 32)
    with pytest.raises(InvalidError, match="is for bearing/demo") as caught:
        play_start(viewer=owner, caller=ADA, wish=replace(wish, base_model="other"))
    assert caught.value.code == "playground.base_model"


def test_tokens_run_out_for_all_of_one_address(settings: Any) -> None:
    settings.PLAYGROUND_TOKENS_ANON = "100/d"
    settings.PLAYGROUND_TOKENS_USER = "1000/d"
    neighbour = caller_of(nobody(), address="1", visitor="y")
    check_tokens(BOB)
    count_tokens(BOB.purse, 100)
    with pytest.raises(QuotaExceededError, match="with an account there are more"):
        check_tokens(neighbour)
    count_tokens(ADA.purse, 100)
    check_tokens(ADA)


def test_cautions_say_what_was_measured_and_what_was_not(wish: Wish, owner: Any) -> None:
    from tests.factories import make_vector, make_vector_version

    make_vector_version(owner=owner, name="apart", seed=1)
    make_vector_version(owner=owner, name="turned", artifact=write_vector(-make_vector()))
    model = base_model_get(reference="bearing/demo")

    def found(*channels: Channel) -> dict[str, str]:
        members = mix_members(viewer=owner, model=model, channels=channels, mode="sum")
        return {caution.code: caution.message for caution in mix_cautions(owner, members, "a")}

    loud = found(Channel("acme/formality", 0.4), Channel("acme/apart", 0.6))
    assert "outside its window, -0.30 to +0.45" in loud["mix.beyond_window"]
    assert "of the residual norm" in loud["mix.dose"]
    assert found(Channel("acme/apart", 0.1)) == {}
    three = found(Channel("acme/formality", 0.1), Channel("acme/apart", 0.1), Channel("acme/turned", 0.2))
    assert three["mix.overlap"].startswith("formality and turned overlap (cosine -1.00)")
    assert three["mix.overlap"].endswith("they push against each other.")


def test_a_broker_out_of_reach_is_said(
    wish: Wish, owner: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("registry.playground.services.ring", lambda: False)
        with pytest.raises(UnavailableError):
            play_start(viewer=owner, caller=ADA, wish=wish)
        assert line.line_take() is None
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(UnavailableError, match="queue"):
        play_start(viewer=owner, caller=ADA, wish=wish)
    (last,) = watch(job(ADA.place), seconds=5)
    assert last is not None
    assert last.data["code"] == "playground.unavailable"


def streamed(asked: Job) -> str:
    response: Any = play_stream(asked)
    return b"".join(response.streaming_content).decode()


def nobody() -> Any:
    from django.contrib.auth.models import AnonymousUser

    return AnonymousUser()
