"""Signing up, in and out, and access tokens."""

import re
from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import ApiToken, User
from registry.accounts.services import token_authenticate
from registry.core.naming import RESERVED_OWNERS
from tests.web.pages import words

pytestmark = pytest.mark.django_db
SIGN_UP = {"email": "ada@example.org", "password1": "a-good-pass-1", "password2": "a-good-pass-1"}


def test_sign_up_in_and_out(client: Client) -> None:
    assert client.post("/accounts/signup/", SIGN_UP | {"username": "ada"}).status_code == 302
    assert "ada" in words(client.get("/").content)
    client.post("/accounts/logout/")
    assert "Sign in" in words(client.get("/").content)
    response = client.post("/accounts/login/", {"login": "ada", "password": "a-good-pass-1"})
    assert response["Location"] == "/"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_sign_in_leads_to_no_other_site(client: Client, acme: User, elsewhere: str) -> None:
    fields = {"login": acme.username, "password": "a-good-password", "next": elsewhere}
    assert client.post("/accounts/login/", fields)["Location"] == "/"


def test_sign_in_guessing_is_limited_per_caller_behind_the_proxy(
    client: Client, acme: User, settings: Any
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    right = {"login": acme.username, "password": "a-good-password"}
    guesser, other = ({"X-Forwarded-For": f"192.0.2.1, 203.0.113.{n}"} for n in (7, 8))
    for n in range(10):
        wrong = {"login": f"user-{n}", "password": "a-wrong-password"}
        client.post("/accounts/login/", wrong, headers=guesser)
    assert "Too many failed login attempts" in words(
        client.post("/accounts/login/", right, headers=guesser).content
    )
    assert client.post("/accounts/login/", right, headers=other).status_code == 302


@pytest.mark.parametrize("username", ["datasets", "api", "Not A Slug", "-x", "settings"])
def test_sign_up_with_a_name_that_cannot_be_an_owner_is_refused(client: Client, username: str) -> None:
    response = client.post("/accounts/signup/", SIGN_UP | {"username": username})
    assert response.status_code == 200
    assert not User.objects.exists()
    assert "errorlist" in response.content.decode()


@pytest.mark.parametrize("page", ["login", "signup", "password/reset"])
def test_account_pages_have_the_look_of_the_rest(client: Client, page: str) -> None:
    response = client.get(f"/accounts/{page}/")
    assert response.status_code == 200
    assert 'class="skip"' in response.content.decode()


def test_every_page_word_is_a_reserved_owner() -> None:
    from registry.web.urls import urlpatterns

    first = {re.split(r"[/<]", str(pattern.pattern))[0] for pattern in urlpatterns} - {""}
    assert first <= RESERVED_OWNERS


@pytest.mark.parametrize(("scope", "scopes"), [("read", ["read"]), ("write", ["read", "write"])])
def test_token_is_shown_once_and_works(signed_in: Client, scope: str, scopes: list[str]) -> None:
    response = signed_in.post("/settings/tokens/", {"name": "laptop", "scope": scope})
    found = re.search(r'id="new-token">(brg_\w+)<', response.content.decode())
    assert found
    token = token_authenticate(text=found[1])
    assert token is not None
    assert token.scopes == scopes
    assert found[1] not in signed_in.get("/settings/tokens/").content.decode()
    assert "no-store" in response["Cache-Control"]


def test_token_without_a_name_is_refused(signed_in: Client) -> None:
    assert signed_in.post("/settings/tokens/", {"name": " ", "scope": "read"}).status_code == 422
    assert not ApiToken.objects.exists()


def test_token_revoked_is_gone_and_strangers_cannot(signed_in: Client, stranger: Client) -> None:
    signed_in.post("/settings/tokens/", {"name": "laptop", "scope": "read"})
    address = f"/settings/tokens/{ApiToken.objects.get().pk}/revoke"
    assert stranger.post(address).status_code == 404
    assert signed_in.post(address).status_code == 302
    assert "None yet" in words(signed_in.get("/settings/tokens/").content)
