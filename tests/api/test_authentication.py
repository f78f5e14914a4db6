"""Tokens: good, wrong, revoked, of another scheme."""

from datetime import timedelta

import pytest
from django.utils import timezone

from registry.accounts.models import ApiToken
from registry.accounts.services import token_revoke
from tests.api.conftest import Api


def test_me_with_token_names_the_user(owner: Api) -> None:
    answer = owner.get("/me")
    assert answer.status_code == 200
    assert answer.json() == {
        "username": "acme",
        "scopes": ["read", "write"],
        "namespaces": [{"slug": "acme", "kind": "user", "title": "", "role": "owner"}],
    }


def test_me_without_token_asks_for_one(nobody: Api) -> None:
    answer = nobody.get("/me")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "request.not_authenticated"


@pytest.mark.parametrize(
    "header", ["Bearer brg_wrong", "Bearer", "Basic YTpi", "Bearer brg_" + "0" * 38, "Bearer \xff"]
)
def test_public_path_with_bad_token_is_refused(nobody: Api, header: str) -> None:
    answer = nobody.get("/vectors", Authorization=header)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "token.invalid"


def test_revoked_token_is_refused(owner: Api) -> None:
    token_revoke(user=owner.user, token_id=str(ApiToken.objects.get().pk))
    answer = owner.get("/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "token.revoked")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_expired_token_is_refused(owner: Api) -> None:
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = owner.get("/vectors")
    assert (answer.status_code, answer.json()["code"]) == (401, "token.expired")


def test_token_of_inactive_user_is_refused(owner: Api) -> None:
    owner.user.is_active = False
    owner.user.save()
    assert owner.get("/me").json()["code"] == "token.user_inactive"


def test_session_cookie_gives_no_access(owner: Api, nobody: Api) -> None:
    nobody.client.force_login(owner.user)
    assert nobody.get("/me").status_code == 401
