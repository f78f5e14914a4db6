"""Gated vectors over HTTP: everything is seen, files are for those who were let in, on every way to them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.api.conftest import Api
from tests.factories import make_vector_version

PATH = "/vectors/acme/formality"


@pytest.fixture
def version(owner: Api, caller: Callable[..., Api]) -> Any:
    row = make_vector_version(owner=owner.user)
    admin = caller("acme", ("read", "write", "manage"))
    answer = admin.send("PUT", f"{PATH}/access", {"access": "gated", "terms": "For research only."})
    assert answer.json()["terms"] == "For research only."
    return row


@pytest.fixture
def admin(caller: Callable[..., Api]) -> Api:
    return caller("acme", ("read", "write", "manage"))


def files(row: Any) -> list[str]:
    """Every way to a file of this version."""
    version = f"{PATH}/versions/1.0.0"
    by_id = f"/versions/{row.pk}"
    return [
        f"{version}/download",
        f"{version}/download?format=gguf",
        f"{version}/conformance",
        f"{PATH}/versions/latest/download",
        f"{by_id}/download",
        f"{by_id}/conformance",
        f"/blobs/sha256:{row.artifact_id}",
    ]


def test_no_way_leads_around_the_gate(owner: Api, nobody: Api, other: Api, version: Any) -> None:
    for path in files(version):
        for api in (nobody, other):
            answer = api.client.get(f"/api/v1{path}")
            assert (answer.status_code, answer["X-Error-Code"]) == (403, "access.gated"), path
            assert answer.json()["request_url"].endswith(f"/api/v1{PATH}/access-request")
        assert owner.client.get(f"/api/v1{path}").status_code in (200, 202), path
    page = Client().get("/acme/formality/versions/1.0.0/download")
    assert page.status_code == 403


def test_all_but_the_files_is_seen(nobody: Api, other: Api, version: Any) -> None:
    for path in (PATH, f"{PATH}/versions/1.0.0"):
        access = nobody.get(path).json()["access"]
        assert access == {
            "kind": "gated",
            "state": "gated",
            "request": "",
            "request_url": f"http://localhost:8000/api/v1{PATH}/access-request",
        }
    assert nobody.get(f"{PATH}/versions/1.0.0").json()["report"]
    assert nobody.get(f"{PATH}/access").json()["terms"] == "For research only."


def test_from_a_request_to_a_file(admin: Api, other: Api, version: Any) -> None:
    ask = f"{PATH}/access-request"
    refused = other.post(ask, {"message": "please"})
    assert (refused.status_code, refused.json()["code"]) == (422, "access.terms_not_accepted")
    made = other.post(ask, {"message": "please", "accepts_terms": True})
    assert (made.status_code, made.json()["state"]) == (201, "requested")
    assert other.post(ask, {"accepts_terms": True}).status_code == 200
    [waiting] = admin.get(f"{PATH}/access-requests", {"state": "requested"}).json()["items"]
    assert (waiting["username"], waiting["message"]) == ("mallory", "please")

    granted = admin.patch(f"{PATH}/access-requests/mallory", {"state": "granted"})
    assert granted.json()["decided_by"] == "acme"
    assert other.get(ask).json()["state"] == "granted"
    assert other.get(f"{PATH}/versions/1.0.0").json()["access"]["state"] == "granted"
    answer = other.get(f"{PATH}/versions/1.0.0/download")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-store")

    assert other.send("DELETE", ask).json()["state"] == "withdrawn"
    assert other.get(f"{PATH}/versions/1.0.0/download").status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", "access", {"access": "secret"}, 422, "request.invalid"),
        ("PUT", "access", {"access": "paid"}, 422, "access.paid_unavailable"),
        ("PATCH", "access-requests/nobody", {"state": "granted"}, 404, "access.request_not_found"),
        ("PATCH", "access-requests/nobody", {"state": "withdrawn"}, 422, "request.invalid"),
        ("GET", "access-request", None, 404, "access.request_not_found"),
        ("POST", "access-request", {}, 409, "access.not_needed"),
    ],
)
def test_what_cannot_be_is_refused(
    admin: Api, version: Any, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = admin.send(method, f"{PATH}/{path}", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_page_of_gated_vectors_takes_a_fixed_number_of_queries(
    admin: Api, other: Api, version: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(3):
        make_vector_version(owner=admin.user, name=f"v{number}", seed=number + 1)
        admin.send("PUT", f"/vectors/acme/v{number}/access", {"access": "gated"})
    with django_assert_max_num_queries(6):
        seen = other.get("/vectors").json()["items"]
    assert [item["access"]["state"] for item in seen] == ["gated"] * 4
