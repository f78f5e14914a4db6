"""Runs over HTTP: start, watch, cancel, and the key that makes a start repeatable."""

import hashlib
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from registry.catalog.models import VectorVersion
from registry.runs.leases import run_claim, run_fail
from registry.runs.models import Run
from registry.runs.states import ErrorClass
from tests.api.conftest import Api
from tests.factories import (
    MODEL_HASH,
    make_base_model,
    make_dataset_version,
    make_run,
    make_statistics,
    make_vector_version,
)


@pytest.fixture
def body(owner: Api) -> dict[str, Any]:
    make_base_model()
    dataset = make_dataset_version(owner=owner.user)
    return {"dataset": str(dataset), "base_model": "bearing/demo", "vector": "formality"}


def test_start_queues_a_run(owner: Api, body: dict[str, Any]) -> None:
    answer = owner.post("/runs", body)
    run = answer.json()
    assert answer.status_code == 202
    assert (run["state"], run["vector"], run["verdict"], run["error"]) == (
        "queued",
        "acme/formality",
        "",
        None,
    )
    assert (run["dataset"], run["base_model"], run["model_hash"]) == (
        "acme/tone-pairs@1",
        "bearing/demo",
        MODEL_HASH,
    )
    assert owner.client.get(answer["Location"]).json() == run


def test_start_by_model_hash_and_newest_dataset_is_accepted(owner: Api, body: dict[str, Any]) -> None:
    answer = owner.post("/runs", {**body, "base_model": MODEL_HASH, "dataset": "acme/tone-pairs"})
    assert answer.json()["dataset"] == "acme/tone-pairs@1"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"dataset": "acme/none@1"}, 404, "dataset.not_found"),
        ({"dataset": "acme/tone-pairs@9"}, 404, "dataset.version_not_found"),
        ({"dataset": "no reference"}, 422, "dataset.reference_invalid"),
        ({"base_model": "none/such"}, 404, "base_model.not_found"),
        ({"vector": "Not A Slug"}, 422, "name.invalid"),
        ({"method": "magic"}, 422, "request.invalid"),
        ({"site": "resid_pre"}, 422, "request.invalid"),
        ({"site": "mlp_out@1"}, 422, "request.invalid"),
        ({"site": None}, 422, "request.invalid"),
        ({"pooling": "first"}, 422, "request.invalid"),
        ({"tier": None}, 422, "request.invalid"),
        ({"vector": "a\0b"}, 422, "request.invalid"),
        ({"vector": "\ud800"}, 422, "request.invalid"),
        ({"vector": ["a"]}, 422, "request.invalid"),
        ({"publish_version": "1.0", "license": "MIT"}, 422, "version.invalid"),
        ({"publish_version": "1.0.0"}, 422, "license.invalid"),
    ],
)
def test_start_with_bad_field_is_refused(
    owner: Api, body: dict[str, Any], change: dict[str, Any], status: int, code: str
) -> None:
    answer = owner.post("/runs", {**body, **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Run.objects.exists()


@pytest.mark.parametrize("site", ["resid_post", "mlp_out", "attn_out", "resid_post@2"])
def test_start_takes_every_site(owner: Api, body: dict[str, Any], site: str) -> None:
    answer = owner.post("/runs", {**body, "site": site, "method": "whitened", "pooling": "next_turn"})
    assert answer.status_code == 202
    spec = VectorVersion.objects.get().spec
    assert (spec["site"], spec["method"], spec["pooling"]) == (site, "whitened", "next_turn")


def test_start_over_the_quota_is_refused(owner: Api, body: dict[str, Any], settings: Any) -> None:
    settings.RUN_MAX_QUEUED_PER_USER = 1
    owner.post("/runs", body)
    answer = owner.post("/runs", body)
    assert (answer.status_code, answer.json()["code"]) == (429, "run.quota")


def test_same_key_gives_the_same_run(owner: Api, body: dict[str, Any]) -> None:
    answers = [owner.post("/runs", body, **{"Idempotency-Key": "k1"}) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Run.objects.count() == 1


def test_same_key_with_another_body_is_refused(owner: Api, body: dict[str, Any]) -> None:
    owner.post("/runs", body, **{"Idempotency-Key": "k1"})
    answer = owner.post("/runs", {**body, "vector": "other"}, **{"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.mismatch")


def test_key_of_another_user_is_another_key(owner: Api, other: Api, body: dict[str, Any]) -> None:
    owner.post("/runs", body, **{"Idempotency-Key": "k1"})
    make_dataset_version(owner=other.user)
    answer = other.post("/runs", {**body, "dataset": "mallory/tone-pairs"}, **{"Idempotency-Key": "k1"})
    assert answer.json()["vector"] == "mallory/formality"


@pytest.mark.parametrize("key", ["x" * 201, "a\0b", "a\tb", "\xff"])
def test_bad_key_is_refused(owner: Api, body: dict[str, Any], key: str) -> None:
    answer = owner.post("/runs", body, **{"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.key_invalid")


@pytest.mark.django_db(transaction=True)
def test_fifty_starts_at_once_give_one_run(owner: Api, body: dict[str, Any]) -> None:
    together, answers = threading.Barrier(10), []

    def start() -> None:
        together.wait()
        for _ in range(5):
            answers.append(Api(token=owner.token).post("/runs", body, **{"Idempotency-Key": "once"}))
        connection.close()

    threads = [threading.Thread(target=start) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [202] * 50
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (Run.objects.count(), VectorVersion.objects.count()) == (1, 1)


def test_finished_run_tells_its_result(owner: Api) -> None:
    version = make_vector_version(owner=owner.user)
    run = owner.get("/runs").json()["items"][0]
    assert (run["state"], run["verdict"], run["version"]) == ("succeeded", "pass", "1.0.0")
    assert run["version_id"] == str(version.pk)
    assert run["url"] == f"http://localhost:8000/runs/{run['id']}"


def test_run_tells_what_it_kept_of_the_activations(owner: Api) -> None:
    waiting = make_run(owner=owner.user, vector="waiting")
    assert owner.get(f"/runs/{waiting.pk}").json()["statistics"] is None
    version = make_vector_version(owner=owner.user)
    data = make_statistics()
    assert owner.get(f"/runs/{version.run.pk}").json()["statistics"] == {
        "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "size_bytes": len(data),
    }


def test_statistics_are_a_file_that_is_kept_nowhere(owner: Api) -> None:
    version = make_vector_version(owner=owner.user)
    path, data = f"/runs/{version.run.pk}/statistics", make_statistics()
    answer = owner.get(path)
    named = hashlib.sha256(data).hexdigest()
    assert answer.content == data
    assert answer["X-Bearing-Digest"] == f"sha256:{named}"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Type"] == "application/vnd.bearing.statistics+safetensors"
    assert owner.get(path, **{"If-None-Match": f'"{named}"'}).status_code == 304
    part = owner.get(path, Range="bytes=8-15")
    assert (part.status_code, part.content) == (206, data[8:16])


def test_statistics_of_a_public_vector_are_its_owners_alone(
    owner: Api, reader: Api, other: Api, nobody: Api
) -> None:
    version = make_vector_version(owner=owner.user)
    path = f"/runs/{version.run.pk}/statistics"
    assert [api.get(path).status_code for api in (owner, reader, other, nobody)] == [200, 200, 404, 401]
    blob = owner.get(f"/runs/{version.run.pk}").json()["statistics"]["digest"]
    assert owner.get(f"/blobs/{blob}").json()["code"] == "blob.not_found"


def test_statistics_that_were_not_kept_are_not_found(owner: Api) -> None:
    run = make_run(owner=owner.user)
    answer = owner.get(f"/runs/{run.pk}/statistics")
    assert (answer.status_code, answer.json()["code"]) == (404, "run.no_statistics")


@pytest.mark.parametrize(("damage", "code"), [(Path.unlink, "blob.missing"), (None, "blob.corrupt")])
def test_statistics_that_the_store_lost_or_changed_are_not_sent(
    owner: Api, blob_path: Callable[[str], Path], damage: Callable[[Path], None] | None, code: str
) -> None:
    run = make_vector_version(owner=owner.user, seed=7).run
    file = blob_path(run.statistics.sha256)
    before = file.read_bytes()
    file.chmod(0o600)
    if damage is not None:
        damage(file)
    else:
        file.write_bytes(before[:-1])
    answer = owner.get(f"/runs/{run.pk}/statistics")
    file.write_bytes(before)
    assert (answer.status_code, answer.json()["code"]) == (500, code)


def test_failed_run_tells_who_has_to_act(owner: Api) -> None:
    run = make_run(owner=owner.user)
    claim = run_claim(run_id=str(run.pk))
    run_fail(
        run_id=claim.run_id,
        lease_token=claim.lease_token,
        error_class=ErrorClass.USER,
        code="extraction.failed",
        message="too few pairs",
    )
    body = owner.get(f"/runs/{run.pk}").json()
    assert body["error"] == {"class": "user", "code": "extraction.failed", "message": "too few pairs"}


def test_events_after_an_id_are_the_later_ones(owner: Api) -> None:
    run = make_run(owner=owner.user)
    run_claim(run_id=str(run.pk))
    events = owner.get(f"/runs/{run.pk}/events").json()["items"]
    assert [event["stage"] for event in events] == ["queued", "claimed"]
    later = owner.get(f"/runs/{run.pk}/events", {"after": events[0]["id"]}).json()["items"]
    assert later == events[1:]


@pytest.mark.parametrize("after", ["-1", "x", str(2**63), "9" * 5000])
def test_events_after_something_else_are_refused(owner: Api, after: str) -> None:
    run = make_run(owner=owner.user)
    assert owner.get(f"/runs/{run.pk}/events", {"after": after}).status_code == 422


def test_cancel_ends_a_waiting_run(owner: Api) -> None:
    run = make_run(owner=owner.user)
    answers = [owner.post(f"/runs/{run.pk}/cancel") for _ in range(2)]
    assert [(a.status_code, a.json()["state"]) for a in answers] == [(200, "cancelled")] * 2


def test_cancel_of_a_finished_run_is_a_conflict(owner: Api) -> None:
    make_vector_version(owner=owner.user)
    answer = owner.post(f"/runs/{Run.objects.get().pk}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "run.ended")


def test_unknown_run_is_not_found(owner: Api) -> None:
    for answer in (owner.get(f"/runs/{uuid.uuid4()}"), owner.post(f"/runs/{uuid.uuid4()}/cancel")):
        assert (answer.status_code, answer.json()["code"]) == (404, "run.not_found")
