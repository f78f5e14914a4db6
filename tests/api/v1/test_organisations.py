"""Organisations over HTTP: a whole life, what strangers get, and how many queries a list takes."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.accounts.models import Membership, Namespace, Team
from tests.api.conftest import Api
from tests.factories import make_organisation, make_user

HERE = "/organisations/initech"
ALL = ("read", "write", "manage")


@pytest.fixture
def boss(caller: Callable[..., Api]) -> Api:
    return caller("boss", ALL)


@pytest.fixture
def ada(caller: Callable[..., Api]) -> Api:
    api = caller("ada", ALL)
    EmailAddress.objects.create(user=api.user, email=api.user.email, verified=True, primary=True)
    return api


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_an_organisation_from_its_founding_on(boss: Api, ada: Api, nobody: Api) -> None:
    founded = boss.post("/organisations", {"slug": "initech", "title": "Initech"})
    assert founded.status_code == 201
    assert founded["Location"].endswith("/api/v1/organisations/initech")
    assert founded.json()["role"] == "owner"

    invited = boss.post(f"{HERE}/invitations", {"email": "ada@example.org", "role": "writer"})
    assert invited.status_code == 201
    assert invited.json()["link"].endswith(f"/invitations/{invited.json()['token']}")
    listed = boss.get(f"{HERE}/invitations").json()["items"]
    assert [(item["email"], item["is_open"]) for item in listed] == [("ada@example.org", True)]
    assert "token" not in listed[0]

    joined = ada.post("/invitations/accept", {"token": invited.json()["token"]})
    assert joined.json() | {"joined_at": ""} == {
        "organisation": "initech",
        "username": "ada",
        "role": "writer",
        "joined_at": "",
    }
    assert {item["username"] for item in ada.get(f"{HERE}/members").json()["items"]} == {"ada", "boss"}
    assert boss.patch(f"{HERE}/members/ada", {"role": "admin"}).json()["role"] == "admin"
    assert ada.patch(HERE, {"description": "We make paper."}).json()["description"] == "We make paper."
    assert nobody.get(HERE).json()["role"] is None
    assert [row["slug"] for row in ada.get("/me").json()["namespaces"]] == ["initech", "ada"]

    assert ada.send("DELETE", f"{HERE}/members/ada").status_code == 204
    assert code(ada.get(f"{HERE}/members")) == (403, "access.role_needed")
    assert code(boss.send("DELETE", f"{HERE}/members/boss")) == (409, "member.last_owner")


def test_a_team_from_its_making_to_its_end(boss: Api, ada: Api) -> None:
    Membership.objects.create(namespace=make_organisation(owner=boss.user), user=ada.user, role="reader")
    assert boss.post(f"{HERE}/teams", {"name": "tone"}).status_code == 201
    assert code(boss.post(f"{HERE}/teams", {"name": "tone"})) == (409, "team.exists")
    for _ in range(2):
        assert boss.send("PUT", f"{HERE}/teams/tone/members/ada").json()["members"] == ["ada"]
        grant = boss.send("PUT", f"{HERE}/teams/tone/grants/formality", {"role": "writer"})
        assert grant.json() == {"name": "formality", "role": "writer"}
    assert ada.get(f"{HERE}/teams/tone").json()["grants"] == [grant.json()]
    assert boss.patch(f"{HERE}/teams/tone", {"name": "voice"}).json()["name"] == "voice"
    assert code(boss.get(f"{HERE}/teams/tone")) == (404, "team.not_found")
    assert ada.send("DELETE", f"{HERE}/teams/voice/members/ada").status_code == 204
    assert boss.send("DELETE", f"{HERE}/teams/voice/grants/formality").status_code == 204
    assert code(boss.send("DELETE", f"{HERE}/teams/voice/grants/formality")) == (404, "grant.not_found")
    assert boss.send("DELETE", f"{HERE}/teams/voice").status_code == 204
    assert boss.get(f"{HERE}/teams").json()["items"] == []


def test_changes_take_the_scope_manage(caller: Callable[..., Api], boss: Api) -> None:
    make_organisation(owner=boss.user)
    narrow = caller("boss", ("read", "write"))
    for answer in (
        narrow.post("/organisations", {"slug": "umbrella"}),
        narrow.patch(HERE, {"title": "x"}),
        narrow.post(f"{HERE}/invitations", {"email": "a@example.org", "role": "reader"}),
        narrow.send("PUT", f"{HERE}/teams/a/members/b"),
        narrow.send("DELETE", f"{HERE}/members/boss"),
    ):
        assert code(answer) == (403, "token.scope_missing")
    assert narrow.get(f"{HERE}/members").status_code == 200


def test_a_scope_gives_no_role(ada: Api) -> None:
    make_organisation(owner=make_user("somebody"))
    assert code(ada.patch(HERE, {"title": "Mine"})) == (403, "access.role_needed")
    assert code(ada.get("/organisations/nothing-here")) == (404, "organisation.not_found")


@pytest.mark.parametrize(
    ("slug", "expected"),
    [
        ("Initech", (422, "namespace.invalid")),
        ("adm1n", (422, "namespace.reserved")),
        ("boss", (409, "namespace.taken")),
        ("b0ss", (409, "namespace.lookalike")),
    ],
)
def test_a_name_that_cannot_be_had_is_refused(boss: Api, slug: str, expected: tuple[int, str]) -> None:
    assert code(boss.post("/organisations", {"slug": slug})) == expected


@pytest.mark.parametrize(
    "path", [f"{HERE}/members", f"{HERE}/teams", f"{HERE}/invitations", "/organisations", "/me"]
)
def test_lists_take_as_many_queries_for_many_rows(boss: Api, path: str) -> None:
    rows = [make_organisation(owner=boss.user)]

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert boss.get(path).status_code == 200
        return len(queries)

    def add(number: int) -> None:
        user = make_user(f"member-{'abc'[number]}")
        Membership.objects.create(namespace=rows[0], user=user, role="reader")
        team = Team.objects.create(namespace=rows[0], name=f"t{number}")
        team.members.add(user)
        team.grants.create(name="tone", role="reader")
        boss.post(f"{HERE}/invitations", {"email": f"i{number}@example.org", "role": "reader"})
        row = Namespace.objects.create(slug=f"firm-{'xyz'[number]}", kind="organisation")
        Membership.objects.create(namespace=row, user=boss.user, role="owner")

    add(0)
    boss.get(path)
    few = count()
    add(1)
    add(2)
    assert count() == few
