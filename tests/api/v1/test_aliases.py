"""Aliases over HTTP: set, guard, read the history; what a version that is yanked does to them."""

from typing import Any

import pytest

from tests.api.conftest import Api
from tests.factories import make_vector_version

PATH = "/vectors/acme/formality"
STABLE = f"{PATH}/aliases/stable"


@pytest.fixture
def two(owner: Api) -> None:
    make_vector_version(owner=owner.user)
    make_vector_version(owner=owner.user, version="1.1.0", seed=1)


def put(api: Api, version: str, **headers: str) -> Any:
    return api.send("PUT", STABLE, {"version": version}, **headers)


def test_alias_is_made_moved_and_listed(owner: Api, nobody: Api, two: None) -> None:
    made = put(owner, "1.0.0")
    assert (made.status_code, made["Location"]) == (201, f"http://localhost:8000/api/v1{STABLE}")
    moved = put(owner, "1.1.0")
    assert (moved.status_code, moved.json()["version"], moved.json()["is_protected"]) == (200, "1.1.0", False)
    [item] = nobody.get(f"{PATH}/aliases").json()["items"]
    assert item == nobody.get(STABLE).json() == moved.json()
    assert nobody.get(f"{PATH}/versions/stable").json()["version"] == "1.1.0"
    assert nobody.get(f"{PATH}/versions/stable/download")["X-Bearing-Digest"] == item["digest"]
    assert owner.send("DELETE", STABLE).status_code == 204
    assert nobody.get(STABLE).json()["code"] == "alias.not_found"


def test_if_match_keeps_two_from_moving_one_alias(owner: Api, two: None) -> None:
    seen = put(owner, "1.0.0")["ETag"]
    assert put(owner, "1.1.0", **{"If-Match": seen}).status_code == 200
    late = put(owner, "1.0.0", **{"If-Match": seen})
    assert (late.status_code, late.json()["code"]) == (412, "precondition.failed")
    assert owner.send("DELETE", STABLE, **{"If-Match": seen}).status_code == 412
    other = owner.send("PUT", f"{PATH}/aliases/next", {"version": "1.0.0"}, **{"If-Match": "*"})
    assert other.status_code == 412
    assert owner.get(STABLE).json()["version"] == "1.1.0"


def test_history_shows_who_to_those_with_a_role(owner: Api, nobody: Api, two: None) -> None:
    put(owner, "1.0.0")
    put(owner, "1.1.0")
    seen = owner.get(f"{STABLE}/history").json()["items"]
    assert [(e["before"], e["after"], e["actor"]) for e in seen] == [
        ("1.0.0", "1.1.0", "acme"),
        (None, "1.0.0", "acme"),
    ]
    assert {e["actor"] for e in nobody.get(f"{STABLE}/history").json()["items"]} == {""}


def test_alias_at_a_yanked_version_says_what_to_do(owner: Api, nobody: Api, two: None) -> None:
    put(owner, "1.0.0")
    owner.post(f"{PATH}/versions/1.0.0/yank", {"reason": "wrong poles"})
    answer = nobody.get(f"{PATH}/versions/stable")
    assert (answer.status_code, answer.json()["code"]) == (404, "alias.yanked")
    assert "wrong poles" in answer.json()["detail"]
    assert nobody.get(STABLE).json()["state"] == "yanked"
    assert put(owner, "1.0.0").status_code == 409


@pytest.mark.parametrize("alias", ["main", "cafe", "1.0.0", "Stable"])
def test_alias_that_could_be_something_else_is_refused(owner: Api, two: None, alias: str) -> None:
    answer = owner.send("PUT", f"{PATH}/aliases/{alias}", {"version": "1.0.0"})
    assert (answer.status_code, answer.json()["code"]) == (422, "alias.invalid")


def test_aliases_take_a_fixed_number_of_queries(
    owner: Api, nobody: Api, two: None, django_assert_num_queries: Any
) -> None:
    for alias in ("one", "two", "three"):
        owner.send("PUT", f"{PATH}/aliases/{alias}", {"version": "1.0.0"})
    with django_assert_num_queries(3):
        assert len(nobody.get(f"{PATH}/aliases").json()["items"]) == 3
