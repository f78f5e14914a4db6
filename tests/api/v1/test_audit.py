"""The log over HTTP: whose, which part, and page by page."""

from collections.abc import Callable
from typing import Any

import pytest

from registry.audit.services import record
from tests.api.conftest import Api
from tests.factories import make_organisation


@pytest.fixture
def logged(owner: Api, caller: Callable[..., Api]) -> Api:
    """acme, admin of initech, and seven events beside those that fixtures leave."""
    make_organisation(admin=owner.user, reader=caller("mallory").user)
    for number in range(5):
        record("thing.made", subject=f"thing {number}", namespace="initech", size=number)
    record("thing.lost", subject="thing 5", namespace="initech")
    record("thingamajig.made", subject="another", namespace="initech")
    return owner


def subjects(api: Api, **query: object) -> list[str]:
    return [item["subject"] for item in api.get("/audit", {"namespace": "initech", **query}).json()["items"]]


def test_the_log_is_newest_first_and_can_be_narrowed(logged: Api) -> None:
    assert subjects(logged)[:2] == ["another", "thing 5"]
    assert subjects(logged, action="thing.lost") == ["thing 5"]
    assert len(subjects(logged, action="thing")) == 6
    known = logged.get("/audit", {"namespace": "initech", "action": "thing.lost"}).json()["items"][0]["id"]
    assert subjects(logged, after=known) == ["another"]
    assert subjects(logged, action="nothing") == []


def test_pages_together_are_the_log(logged: Api) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = logged.get("/audit", {"namespace": "initech", "limit": 3, "cursor": cursor}).json()
        # What comes in between two pages moves nothing.
        record("thing.made", subject="late", namespace="initech")
        seen += [item["subject"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["another", *(f"thing {number}" for number in range(5, -1, -1))]


def test_the_log_is_for_admins_and_ones_own_for_oneself(logged: Api, other: Api, nobody: Api) -> None:
    assert other.get("/audit", {"namespace": "initech"}).json()["code"] == "access.role_needed"
    assert other.get("/audit", {"namespace": "acme"}).json()["code"] == "access.role_needed"
    assert other.get("/audit", {"namespace": "no-such"}).json()["code"] == "namespace.not_found"
    assert nobody.get("/audit").status_code == 401
    own = other.get("/audit").json()["items"]
    assert {(item["action"], item["namespace"]) for item in own} == {("token.created", "mallory")}


@pytest.mark.parametrize(
    "query",
    [
        {"action": "A"},
        {"action": "a.b.c"},
        {"after": "-1"},
        {"after": "x"},
        {"cursor": "x"},
        {"unknown": "1"},
    ],
)
def test_a_question_of_another_form_is_refused(owner: Api, query: dict[str, str]) -> None:
    assert owner.get("/audit", query).status_code == 422


def test_a_page_takes_as_many_queries_for_many_events(
    logged: Api, django_assert_max_num_queries: Any
) -> None:
    logged.get("/audit")
    # The token, the namespace, the role, the events.
    with django_assert_max_num_queries(4):
        assert len(subjects(logged)) == 7
