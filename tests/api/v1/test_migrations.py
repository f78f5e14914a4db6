"""Moving a version to another base model over HTTP."""

from typing import Any

import pytest

from registry.catalog.vectors import vector_update
from tests.api.conftest import Api
from tests.factories import make_base_model, make_vector_version

OTHER_HASH = "sha256:" + "cd" * 32
BODY = {"source": "acme/formality@1.0.0", "base_model": OTHER_HASH, "vector": "formality-two"}


@pytest.fixture
def version(owner: Api) -> Any:
    make_base_model(name="bearing/other", model_hash=OTHER_HASH)
    return make_vector_version(owner=owner.user)


@pytest.mark.usefixtures("version")
def test_migration_is_queued_as_a_run(owner: Api) -> None:
    answer = owner.post("/migrations", BODY)

    run = answer.json()
    assert answer.status_code == 202
    assert answer["Location"].endswith(f"/api/v1/runs/{run['id']}")
    assert (run["kind"], run["state"], run["model_hash"]) == ("migrate", "queued", OTHER_HASH)
    assert owner.get(f"/runs/{run['id']}").json()["vector"] == "acme/formality-two"


@pytest.mark.usefixtures("version")
def test_migration_sent_twice_with_one_key_is_one_run(owner: Api) -> None:
    ids = {owner.post("/migrations", BODY, **{"Idempotency-Key": "k"}).json()["id"] for _ in range(2)}

    assert len(ids) == 1


def test_moved_version_names_its_source_to_those_who_may_see_it(owner: Api, version: Any) -> None:
    made = owner.post("/migrations", BODY).json()["version_id"]
    vector_update(actor=owner.user, name="formality", visibility="private")

    source = owner.get(f"/versions/{made}").json()["migrated_from"]

    assert (source["vector"], source["version"]) == ("acme/formality", "1.0.0")
    assert (source["id"], source["digest"]) == (str(version.pk), version.digest)
    assert owner.get(f"/versions/{version.pk}").json()["migrated_from"] is None


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"base_model": "bearing/demo"}, 422, "migration.same_model"),
        ({"method": "pca"}, 422, "request.invalid"),
        ({"source": "acme/none"}, 404, "vector.not_found"),
    ],
)
def test_migration_that_cannot_be_is_refused(
    owner: Api, change: dict[str, str], status: int, code: str
) -> None:
    answer = owner.post("/migrations", {**BODY, **change})

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.usefixtures("version")
def test_migration_takes_a_token_that_may_write(nobody: Api, reader: Api, other: Api) -> None:
    answers = [caller.post("/migrations", BODY) for caller in (nobody, reader, other)]

    assert [answer.status_code for answer in answers] == [401, 403, 403]
    assert answers[-1].json()["code"] == "migration.private_dataset"
