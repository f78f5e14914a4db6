"""Tokens: good, wrong, revoked, of another scheme."""

import pytest

from registry.accounts.models import ApiToken
from registry.accounts.services import token_revoke
from tests.api.conftest import Api


def test_me_with_token_names_the_user(owner: Api) -> None:
    answer = owner.get("/me")
    assert answer.status_code == 200
    assert answer.json() == {"username": "acme", "scopes": ["read", "write"]}


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
    assert owner.get("/me").status_code == 401


def test_token_of_inactive_user_is_refused(owner: Api) -> None:
    owner.user.is_active = False
    owner.user.save()
    assert owner.get("/me").json()["code"] == "token.invalid"


def test_session_cookie_gives_no_access(owner: Api, nobody: Api) -> None:
    nobody.client.force_login(owner.user)
    assert nobody.get("/me").status_code == 401
