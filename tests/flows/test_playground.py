"""Texts of the mixer on the demo model: what steers, what costs nothing, what stops, and what becomes of a
request whose worker is killed.
"""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from registry.core.valkey import valkey
from registry.playground import line
from registry.playground.events import Event, read, watch
from registry.playground.limits import Caller
from registry.playground.services import play_get, play_start
from registry.playground.wishes import Channel, Job, Wish
from tests.demo_vectors import demo_artifact
from tests.factories import make_token
from workers.tasks.playground import play

ADA = Caller("user:ada", "user:ada", True)
PROMPT = "how do i cook the urgent soup ?"
SOME = {"prompt": PROMPT, "max_new_tokens": 24, "seed": 3}


@pytest.fixture
def owner(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A publisher with one vector that really steers the demo model."""
    from registry.catalog.base_models import base_model_register
    from steering_core.demo.paths import weights_path
    from tests.factories import make_user, make_vector_version

    row, _ = base_model_register(path=weights_path(), name="bearing/demo", scorer="demo")
    monkeypatch.setattr("tests.factories.make_base_model", lambda *_: row)
    user = make_user()
    make_vector_version(owner=user, artifact=demo_artifact())
    for key in valkey().scan_iter(f"{line.P}*"):
        valkey().delete(key)
    return user


def mixed(*strengths: float) -> tuple[tuple[Channel, ...], ...]:
    return tuple((Channel("acme/formality", strength),) for strength in strengths)


def asked(owner: Any, *strengths: float, **change: Any) -> Job:
    wish = Wish("bearing/demo", mixes=mixed(*strengths), **{**SOME, **change})
    started = play_start(viewer=owner, caller=ADA, wish=wish)
    # Nobody watches here, and a model may take its time to load.
    line.watched(started.id, seconds=600)
    return play_get(caller=ADA, job_id=started.id)


def written(job: Job) -> tuple[dict[str, str], Event]:
    play()
    texts: dict[str, str] = {}
    *grown, last = (event for event in read(job.id) if event.kind not in ("queued", "warning"))
    for event in grown:
        name = event.data.get("mix", "neutral")
        texts[name] = texts.get(name, "") + event.data["text"]
    return texts, last


def test_a_mix_changes_the_text_and_strength_0_does_not(owner: Any) -> None:
    job = asked(owner, 0.3, 0.0)
    texts, last = written(job)
    assert last.kind == "done"
    assert texts["a"] != texts["neutral"] == texts["b"]
    assert len(read(job.id)) > 10  # token by token
    counted = {row["name"]: row["n_tokens"] for row in last.data["columns"]}
    assert counted["neutral"] == counted["b"] <= 24

    # A slider moves: the neutral text was written before, so only the mix costs anything.
    texts_again, last = written(asked(owner, -0.3))
    assert texts_again["neutral"] == texts["neutral"] != texts_again["a"] != texts["a"]
    kept = {row["name"]: row["kept"] for row in last.data["columns"]}
    assert kept == {"neutral": True, "a": False}
    assert last.data["n_tokens"] == last.data["columns"][1]["n_tokens"]

    # A newer one came, or it was called off: each ends with its reason.
    job = asked(owner, 0.1)
    newer = asked(owner, 0.2)
    assert read(job.id)[-1].data["code"] == "playground.superseded"
    taken = line.line_take()
    assert taken is not None
    line.line_enter(taken)
    line.stop(taken.id, "cancelled")
    assert written(newer)[1].data["code"] == "playground.cancelled"
    # The same over REST: ask, watch, stop.
    api = Client(headers={"Authorization": f"Bearer {make_token(owner)}"})
    wish = {
        "base_model": "bearing/demo",
        **SOME,
        "mixes": [[{"reference": "acme/formality", "strength": 0.9}]],
    }
    started = api.post("/api/v1/playground/requests", wish, "application/json")
    assert started.status_code == 202, started.content
    said = started.json()
    assert said["cautions"][0]["code"] == "mix.beyond_window"
    line.watched(said["id"], seconds=600)
    play()
    here = f"/api/v1/playground/requests/{said['id']}"
    shown = api.get(here).json()
    assert (shown["state"], shown["texts"]["neutral"]) == ("done", texts["neutral"])
    lines = b"".join(api.get(f"{here}/stream").streaming_content).decode()  # type: ignore[attr-defined]
    assert [kind for kind in ("queued", "warning", "steered", "done") if f"event: {kind}" in lines][
        -1
    ] == "done"
    last_id = lines.rpartition("id: ")[2].partition("\n")[0]
    assert api.get(f"{here}/stream", headers={"Last-Event-ID": last_id}).status_code == 204
    assert Client().get(here).status_code == 404
    assert api.delete(here).status_code == 204


def test_who_watches_is_told_when_the_worker_is_killed(owner: Any, processes: Any) -> None:
    worker = processes.start_worker(concurrency=1, queues="playground")
    job = asked(owner, 0.2, max_new_tokens=256, temperature=2.0)
    seen = []
    for event in watch(job, seconds=60):
        if event is None:
            continue
        seen.append(event)
        if event.kind == "steered" and worker.poll() is None:
            processes.send(worker, signal.SIGKILL)
            worker.wait(timeout=30)
    assert seen[-1].data["code"] == "playground.worker_lost", processes.logs()
    # Asked again, it is written by another worker; none of the first one's state is in the way.
    job = asked(owner, 0.2, max_new_tokens=4)
    assert written(job)[1].kind == "done"
