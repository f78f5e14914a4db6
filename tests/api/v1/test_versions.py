"""Versions over HTTP: references, validators, drafts."""

from typing import Any

import pytest

from registry.datasets.services import dataset_make_public
from tests.api.conftest import Api
from tests.factories import MODEL_HASH, make_artifact, make_vector_version

PATH = "/vectors/acme/formality/versions"
ONE = f"{PATH}/1.0.0"


@pytest.fixture
def version(owner: Api) -> Any:
    return make_vector_version(owner=owner.user)


def test_every_reference_gives_the_version(nobody: Api, version: Any) -> None:
    bodies = [nobody.get(f"{PATH}/{ref}").json() for ref in ("latest", "1.0.0", version.digest)]
    bodies.append(nobody.get(f"/versions/{version.pk}").json())
    assert [body["id"] for body in bodies] == [str(version.pk)] * 4


def test_version_tells_everything(nobody: Api, version: Any) -> None:
    body = nobody.get(f"{PATH}/latest").json()
    assert body["digest"] == version.digest
    assert body["size_bytes"] == len(make_artifact())
    assert body["base_model"]["model_hash"] == MODEL_HASH
    assert body["report"] == version.report
    assert body["manifest"] == version.manifest
    assert body["spec"]["method"] == "mean_difference"
    assert body["download_url"] == f"http://localhost:8000/api/v1{PATH}/1.0.0/download"
    assert body["url"] == "http://localhost:8000/acme/formality/versions/1.0.0"


@pytest.mark.usefixtures("version")
def test_private_dataset_of_a_public_vector_is_not_named(nobody: Api, owner: Api) -> None:
    assert nobody.get(f"{PATH}/latest").json()["dataset"] is None
    assert owner.get(f"{PATH}/latest").json()["dataset"] == "acme/tone-pairs@1"
    dataset_make_public(actor=owner.user, name="tone-pairs")
    assert nobody.get(f"{PATH}/latest").json()["dataset"] == "acme/tone-pairs@1"


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    ("ref", "status", "code"),
    [
        ("2.0.0", 404, "version.not_found"),
        ("sha256:" + "0" * 64, 404, "version.not_found"),
        ("sha256:xyz", 422, "reference.invalid"),
        ("newest", 404, "version.not_found"),
        ("main", 422, "reference.invalid"),
        ("cafe", 422, "reference.invalid"),
        ("01.0.0", 422, "reference.invalid"),
        ("%00", 404, "request.not_found"),
    ],
)
def test_reference_that_names_nothing_is_refused(nobody: Api, ref: str, status: int, code: str) -> None:
    answer = nobody.get(f"{PATH}/{ref}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.usefixtures("version")
def test_version_that_the_caller_has_is_304_until_it_changes(nobody: Api, owner: Api) -> None:
    etag = nobody.get(f"{PATH}/1.0.0")["ETag"]
    fresh = nobody.get(f"{PATH}/1.0.0", **{"If-None-Match": etag})
    assert (fresh.status_code, fresh.content) == (304, b"")
    owner.post(f"{PATH}/1.0.0/yank", {"reason": "wrong poles"})
    assert nobody.get(f"{PATH}/1.0.0", **{"If-None-Match": etag}).status_code == 200


def test_caching_follows_visibility(owner: Api, nobody: Api, version: Any) -> None:
    assert nobody.get(f"{PATH}/latest")["Cache-Control"].startswith("public, max-age=60")
    owner.patch("/vectors/acme/formality", {"visibility": "private"})
    assert owner.get(f"{PATH}/latest")["Cache-Control"] == "private, no-store"
    assert nobody.get(f"{PATH}/latest").status_code == 404


def test_draft_is_its_owners_alone(owner: Api, other: Api) -> None:
    draft = make_vector_version(owner=owner.user, state="extracted")
    body = owner.get(f"/versions/{draft.pk}").json()
    assert (body["state"], body["version"], body["license"]) == ("extracted", None, "")
    assert body["download_url"].endswith(f"/versions/{draft.pk}/download")
    answer = owner.get(f"/versions/{draft.pk}/download")
    assert answer.content == make_artifact()
    assert answer["Cache-Control"] == "private, no-store"
    assert 'filename="acme-formality-draft.safetensors"' in answer["Content-Disposition"]
    assert other.get(f"/versions/{draft.pk}").status_code == 404


def test_waiting_draft_has_no_file(owner: Api) -> None:
    draft = make_vector_version(owner=owner.user, state="draft")
    assert owner.get(f"/versions/{draft.pk}").json()["digest"] is None
    answer = owner.get(f"/versions/{draft.pk}/download")
    assert (answer.status_code, answer.json()["code"]) == (404, "artifact.not_found")


def test_yanked_file_still_downloads_with_a_warning(owner: Api, nobody: Api, version: Any) -> None:
    owner.post(f"{PATH}/1.0.0/yank", {"reason": "wrong poles"})
    for path in (f"{PATH}/1.0.0/download", f"/blobs/{version.digest}"):
        answer = nobody.get(path)
        assert answer.status_code == 200
        assert "wrong poles" in answer["Warning"]


def test_public_draft_of_a_public_vector_is_not_shown(owner: Api, nobody: Api, version: Any) -> None:
    draft = make_vector_version(owner=owner.user, state="extracted", seed=5)
    for path in (f"/versions/{draft.pk}", f"/versions/{draft.pk}/download", f"/blobs/{draft.digest}"):
        assert nobody.get(path).status_code == 404


def test_what_the_caller_has_costs_three_queries_at_most(
    owner: Api, nobody: Api, version: Any, django_assert_max_num_queries: Any
) -> None:
    for path in (ONE, f"{ONE}/download"):
        for api, most in ((nobody, 1), (owner, 3)):
            etag = {"If-None-Match": api.get(path)["ETag"]}
            with django_assert_max_num_queries(most):
                assert api.get(path, **etag).status_code == 304


def test_nginx_may_keep_what_everybody_gets(owner: Api, nobody: Api, version: Any) -> None:
    keep = {"X-Bearing-Keep": "1"}
    assert nobody.get(ONE, **keep)["X-Accel-Expires"] == "10"
    refused = [nobody.get(ONE), owner.get(ONE, **keep), nobody.get(f"{PATH}/9.0.0", **keep)]
    owner.patch("/vectors/acme/formality", {"visibility": "unlisted"})
    refused.append(nobody.get(ONE, **keep))
    assert not any(answer.has_header("X-Accel-Expires") for answer in refused)
