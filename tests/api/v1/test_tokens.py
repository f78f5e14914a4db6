"""Tokens and reports of leaked ones over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from registry.accounts.models import ApiToken
from tests.api.conftest import Api
from tests.factories import make_token


@pytest.fixture
def manager(caller: Callable[..., Api]) -> Api:
    return caller("acme", ("read", "manage"))


def test_a_token_is_made_used_listed_and_revoked(manager: Api) -> None:
    end = (timezone.now() + timedelta(days=1)).isoformat()
    made = manager.post("/tokens", {"name": "job", "scopes": ["read"], "expires_at": end})
    assert made.status_code == 201
    text = made.json()["token"]
    new = Api(manager.user, text)
    assert new.get("/me").json()["scopes"] == ["read"]

    listed = manager.get("/tokens")
    assert text not in listed.content.decode()
    item = next(item for item in listed.json()["items"] if item["name"] == "job")
    assert (item["prefix"], item["scopes"]) == (text[:9], ["read"])
    assert item["last_used_at"] is not None

    assert manager.send("DELETE", f"/tokens/{item['id']}").status_code == 204
    assert new.get("/me").json()["code"] == "token.revoked"
    assert [row["name"] for row in manager.get("/tokens").json()["items"]] == ["test"]


def test_a_token_may_end_when_time_does(manager: Api) -> None:
    body = {"name": "job", "scopes": ["read"], "expires_at": "9999-12-31T23:59:59-10:00"}
    made = manager.post("/tokens", body)
    assert (made.status_code, made.json()["expires_at"][:20]) == (201, "9999-12-31T23:59:59.")
    assert Api(manager.user, made.json()["token"]).get("/me").status_code == 200


def test_making_takes_manage_and_gives_no_more_than_the_maker_has(manager: Api, owner: Api) -> None:
    body = {"name": "x", "scopes": ["read"]}
    assert owner.post("/tokens", body).json()["code"] == "token.scope_missing"
    answer = manager.post("/tokens", {**body, "scopes": ["read", "write"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "token.scope_missing")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["admin"]},
        {"name": "", "scopes": ["read"]},
        {"name": "x", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"},
        {"name": "x", "scopes": ["read"], "expire": None},
    ],
)
def test_a_token_that_cannot_be_is_refused(manager: Api, body: dict[str, Any]) -> None:
    assert manager.post("/tokens", body).status_code == 422
    assert ApiToken.objects.count() == 1


def test_the_token_of_another_user_is_not_there(manager: Api, other: Api) -> None:
    foreign = ApiToken.objects.get(user=other.user)
    assert manager.send("DELETE", f"/tokens/{foreign.pk}").status_code == 404
    assert other.get("/me").status_code == 200


def test_leaked_tokens_end_and_the_answer_says_nothing(
    owner: Api, nobody: Api, django_capture_on_commit_callbacks: Any
) -> None:
    answers = []
    for texts in (["brg_wrong"], [owner.token, "x"], [owner.token]):
        with django_capture_on_commit_callbacks(execute=True):
            answers.append(nobody.post("/credentials/revoke", {"tokens": texts}))
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}
    assert owner.get("/me").json()["code"] == "token.revoked"
    assert len(mail.outbox) == 1


def test_a_report_works_with_a_dead_token_in_the_header(owner: Api) -> None:
    dead = Api(None, "brg_dead")
    assert dead.post("/credentials/revoke", {"tokens": [owner.token]}).status_code == 202
    assert owner.get("/me").status_code == 401


@pytest.mark.parametrize("tokens", [[], ["x"] * 101, "brg_", [None], [["x"]], ["x" * 201]])
def test_a_report_of_another_form_is_refused(nobody: Api, tokens: Any) -> None:
    assert nobody.post("/credentials/revoke", {"tokens": tokens}).status_code == 422


def test_reports_are_counted_by_address(nobody: Api, owner: Api, settings: Any) -> None:
    rates = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {"leaks-anon": "2/h"}}
    settings.REST_FRAMEWORK = rates
    texts = {"tokens": [make_token(owner.user)]}
    statuses = [
        nobody.client.post(
            "/api/v1/credentials/revoke", texts, "application/json", REMOTE_ADDR="203.0.113.99"
        ).status_code
        for _ in range(3)
    ]
    assert statuses == [202, 202, 429]
