"""Deprecation, drafts, transfers and removal over HTTP, and the warnings that callers get."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from registry.catalog.removal import version_remove
from tests.api.conftest import Api
from tests.factories import make_dataset_version, make_organisation, make_user, make_vector_version

PATH = "/vectors/acme/formality"
VERSION = f"{PATH}/versions/1.0.0"


@pytest.fixture
def admin(caller: Callable[..., Api]) -> Api:
    return caller("acme", ("read", "write", "manage"))


def codes(answer: Any) -> list[str]:
    return [warning["code"] for warning in answer.json()["warnings"]]


def test_deprecation_warns_in_body_header_and_file(owner: Api, nobody: Api) -> None:
    make_vector_version(owner=owner.user)
    make_vector_version(owner=owner.user, name="better", seed=1)
    assert "Warning" not in nobody.get(VERSION)
    owner.post(f"{PATH}/deprecate", {"reason": "too strong", "replacement": "acme/better"})
    owner.post(f"{VERSION}/deprecate", {"reason": 'wrong "poles"'})
    assert codes(nobody.get(PATH)) == ["vector.deprecated"]
    shown = nobody.get(f"{PATH}/versions/latest")
    assert codes(shown) == ["vector.deprecated", "version.deprecated"]
    assert (shown.json()["deprecation_reason"], shown.json()["replacement"]) == ('wrong "poles"', "")
    header = (
        '299 - "acme/formality is deprecated: too strong; use acme/better instead", '
        "299 - \"acme/formality@1.0.0 is deprecated: wrong 'poles'\""
    )
    assert shown["Warning"] == nobody.get(f"{VERSION}/download")["Warning"] == header
    owner.post(f"{PATH}/undeprecate")
    owner.post(f"{VERSION}/undeprecate")
    assert codes(nobody.get(VERSION)) == []


def test_old_name_answers_with_the_new_one(admin: Api, nobody: Api) -> None:
    make_organisation("initech", admin=admin.user)
    row = make_vector_version(owner=admin.user)
    moved = admin.post(f"{PATH}/transfer", {"owner": "initech", "name": "tone"})
    assert (moved.status_code, moved["Location"]) == (
        200,
        "http://localhost:8000/api/v1/vectors/initech/tone",
    )
    shown = nobody.get(VERSION)
    assert (shown.json()["vector"], codes(shown)) == ("initech/tone", ["vector.moved"])
    assert "acme/formality is called initech/tone now" in shown["Warning"]
    assert codes(nobody.get(PATH)) == ["vector.moved"]
    assert nobody.get(f"{VERSION}/download")["X-Bearing-Digest"] == row.digest
    assert admin.patch(PATH, {"title": "Tone"}).json()["name"] == "tone"
    assert codes(nobody.get("/vectors/initech/tone")) == []
    page = Client().get("/acme/formality/versions/1.0.0")
    assert (page.status_code, page["Location"]) == (302, "/initech/tone/versions/1.0.0")


def test_if_match_guards_a_vector_by_its_old_name_too(admin: Api) -> None:
    make_vector_version(owner=admin.user)
    admin.post(f"{PATH}/transfer", {"name": "tone"})
    seen = admin.get(PATH)["ETag"]
    admin.patch("/vectors/acme/tone", {"title": "One"})
    late = admin.send("PATCH", PATH, {"title": "Two"}, **{"If-Match": seen})
    assert late.status_code == 412


def test_dataset_moves_and_warns(admin: Api, nobody: Api) -> None:
    make_organisation("initech", admin=admin.user)
    make_dataset_version(owner=admin.user, visibility="public")
    moved = admin.post("/datasets/acme/tone-pairs/transfer", {"owner": "initech"})
    assert (moved.status_code, moved.json()["owner"]) == (200, "initech")
    shown = nobody.get("/datasets/acme/tone-pairs")
    assert (shown.json()["owner"], "initech/tone-pairs" in shown["Warning"]) == ("initech", True)
    assert nobody.get("/datasets/acme/tone-pairs/versions/1").json()["reference"] == "initech/tone-pairs@1"


def test_drafts_are_listed_and_discarded(owner: Api, other: Api) -> None:
    make_vector_version(owner=owner.user)
    draft = make_vector_version(owner=owner.user, state="extracted", seed=1)
    [item] = owner.get(f"{PATH}/drafts").json()["items"]
    assert (item["id"], item["state"]) == (str(draft.pk), "extracted")
    assert other.get(f"{PATH}/drafts").status_code == 403
    assert other.send("DELETE", f"/versions/{draft.pk}").status_code == 404
    assert owner.send("DELETE", f"/versions/{draft.pk}").status_code == 204
    assert owner.get(f"{PATH}/drafts").json()["items"] == []
    assert owner.get(f"/versions/{draft.pk}").status_code == 404


@pytest.mark.parametrize(
    ("kind", "status", "code"), [("safety", 410, "removed.safety"), ("legal", 451, "removed.legal")]
)
def test_removed_version_says_why(owner: Api, nobody: Api, kind: str, status: int, code: str) -> None:
    row = make_vector_version(owner=owner.user)
    operator = make_user("operator", is_staff=True)
    version_remove(actor=operator, version=row, kind=kind, reason="it does harm")
    for api in (owner, nobody):
        for path in (VERSION, f"{VERSION}/download", f"/versions/{row.pk}", f"/blobs/{row.digest}"):
            answer = api.get(path)
            assert (answer.status_code, answer.json()["code"]) == (status, code), path
            assert "it does harm" in answer.json()["detail"]
    page = Client().get("/acme/formality/versions/1.0.0")
    assert page.status_code == status
    assert "it does harm" in page.content.decode()
    assert nobody.get(f"{PATH}/versions").json()["items"] == []
