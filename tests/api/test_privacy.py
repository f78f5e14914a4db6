"""What is private looks as if it did not exist: every operation, for everybody but the owner."""

from collections.abc import Callable
from typing import Any

import pytest

from registry.runs.models import Run
from tests.api.conftest import Api
from tests.factories import make_run, make_vector_version

PUBLISH = {"version": "2.0.0", "license": "MIT"}
VECTOR = "/vectors/acme/formality"
DATASET = "/datasets/acme/tone-pairs"

PUBLIC_READS = (
    DATASET,
    f"{DATASET}/versions/1",
    f"{DATASET}/versions/1/download",
    f"{DATASET}/versions/1/rows",
    f"{DATASET}/versions/1/diff/1",
    VECTOR,
    f"{VECTOR}/versions",
    f"{VECTOR}/versions/latest",
    f"{VECTOR}/versions/1.0.0",
    f"{VECTOR}/versions/{{digest}}",
    f"{VECTOR}/versions/latest/download",
    f"{VECTOR}/versions/1.0.0/download",
    f"{VECTOR}/versions/{{digest}}/download",
    f"{VECTOR}/versions/latest/conformance",
    f"{VECTOR}/versions/1.0.0/conformance",
    f"{VECTOR}/versions/{{digest}}/conformance",
    "/versions/{version_id}",
    "/versions/{version_id}/download",
    "/versions/{version_id}/conformance",
    "/blobs/{digest}",
)
OWN_READS = ("/runs/{run_id}", "/runs/{run_id}/events")
WRITES: tuple[tuple[str, str, Any], ...] = (
    ("PATCH", VECTOR, {"visibility": "public"}),
    ("POST", f"{VECTOR}/publish", PUBLISH),
    ("POST", f"{VECTOR}/versions/1.0.0/yank", {"reason": "no"}),
    ("POST", f"{VECTOR}/versions/1.0.0/unyank", None),
    ("POST", "/runs/{run_id}/cancel", None),
)


@pytest.fixture
def filled(owner: Api) -> Callable[[str], str]:
    """Fills a path with the ids of private things of the owner: a dataset, a vector, a waiting run."""
    version = make_vector_version(owner=owner.user, visibility="private")
    run = make_run(owner=owner.user, vector="another")
    ids = {"digest": version.digest, "version_id": version.pk, "run_id": run.pk}
    return lambda path: path.format(**ids)


@pytest.mark.parametrize("path", PUBLIC_READS)
def test_read_of_private_is_404_for_all_but_the_owner(
    path: str, filled: Callable[[str], str], nobody: Api, other: Api, owner: Api, reader: Api
) -> None:
    statuses = [api.get(filled(path)).status_code for api in (nobody, other, owner, reader)]
    assert statuses == [404, 404, 200, 200]
    assert nobody.head(filled(path)).status_code == 404


@pytest.mark.parametrize("path", OWN_READS)
def test_read_of_a_run_is_404_for_other_users(
    path: str, filled: Callable[[str], str], nobody: Api, other: Api, owner: Api, reader: Api
) -> None:
    statuses = [api.get(filled(path)).status_code for api in (nobody, other, owner, reader)]
    assert statuses == [401, 404, 200, 200]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_write_to_what_is_private_is_404_for_other_users(
    method: str, path: str, body: Any, filled: Callable[[str], str], nobody: Api, other: Api, reader: Api
) -> None:
    statuses = [api.send(method, filled(path), body).status_code for api in (nobody, other, reader)]
    assert statuses == [401, 404, 403]


@pytest.mark.parametrize(("method", "path", "body"), WRITES[:4])
def test_write_to_what_is_public_is_refused_for_other_users(
    method: str, path: str, body: Any, owner: Api, other: Api
) -> None:
    make_vector_version(owner=owner.user)
    answer = other.send(method, path, body)
    assert (answer.status_code, answer.json()["code"]) == (403, "access.role_needed")


def test_answer_for_private_and_for_nothing_is_the_same(filled: Callable[[str], str], other: Api) -> None:
    for hidden, missing in ((VECTOR, "/vectors/acme/nothing00"), (DATASET, "/datasets/acme/nothing000")):
        one, two = other.get(hidden).json(), other.get(missing).json()
        assert one["detail"].replace(hidden.rpartition("/")[2], "x") == two["detail"].replace(
            missing.rpartition("/")[2], "x"
        )
        assert (one["code"], one["errors"]) == (two["code"], two["errors"])


@pytest.mark.usefixtures("filled")
def test_lists_leave_out_what_is_private(nobody: Api, other: Api, owner: Api) -> None:
    for api in (nobody, other):
        assert api.get("/vectors").json()["items"] == api.get("/datasets").json()["items"] == []
    assert other.get("/runs").json()["items"] == []
    assert len(owner.get("/runs").json()["items"]) == 2


def test_run_on_a_private_dataset_of_another_is_404(filled: Callable[[str], str], other: Api) -> None:
    body = {"dataset": "acme/tone-pairs@1", "base_model": "bearing/demo", "vector": "stolen"}
    answer = other.post("/runs", body)
    assert (answer.status_code, answer.json()["code"]) == (404, "dataset.not_found")
    assert Run.objects.filter(owner=other.user).count() == 0


def test_private_answers_are_kept_nowhere(filled: Callable[[str], str], owner: Api) -> None:
    for path in (*PUBLIC_READS, *OWN_READS, "/me", "/runs", "/vectors", "/datasets"):
        answer = owner.get(filled(path))
        assert answer["Cache-Control"] == "private, no-store"
        assert "Authorization" in answer["Vary"]
