"""Second factors, sessions, e-mail addresses and invitations, as a browser sees them."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.test import Client

from registry.accounts.invitations import invitation_create
from registry.accounts.models import Membership, User
from tests.factories import make_organisation, make_user
from tests.web.pages import words

pytestmark = pytest.mark.django_db

PASSWORD = "a-good-password"


def sign_in(user: User) -> tuple[Client, Any]:
    """A browser that gave the right password, and the answer to it."""
    client = Client()
    return client, client.post("/accounts/login/", {"login": user.username, "password": PASSWORD})


def confirmed(user: User) -> Client:
    """A browser that gave the password once more, as what changes the ways in takes."""
    client, _ = sign_in(user)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def code_of(secret: str) -> str:
    """What an authenticator app would show now."""
    # Of those that work the middle one; the first stops working within half a minute.
    _, now, _ = yield_hotp_counters_from_time()
    return str(format_hotp_value(hotp_value(secret, now)))


def set_up_app(client: Client) -> str:
    """Activate an authenticator app on the page for it; returns its secret."""
    page = client.get("/accounts/second-factor/totp/activate/")
    secret = str(page.context["form"].secret)
    assert secret in page.content.decode()
    answer = client.post("/accounts/second-factor/totp/activate/", {"code": code_of(secret)})
    assert answer.status_code == 302, words(answer.content)
    return secret


def test_second_factor_is_asked_for_after_it_was_set_up(acme: User) -> None:
    secret = set_up_app(confirmed(acme))

    again, answer = sign_in(acme)

    assert answer["Location"] == "/accounts/second-factor/authenticate/"
    assert again.get("/settings/tokens/").status_code == 302
    assert again.post(answer["Location"], {"code": "000000"}).status_code == 200
    assert again.post(answer["Location"], {"code": code_of(secret)})["Location"] == "/"
    assert again.get("/settings/tokens/").status_code == 200


def test_second_factor_takes_the_password_once_more(acme: User) -> None:
    client, _ = sign_in(acme)
    assert client.get("/accounts/second-factor/totp/activate/")["Location"].startswith(
        "/accounts/reauthenticate/"
    )


def test_recovery_code_works_once(acme: User) -> None:
    client = confirmed(acme)
    set_up_app(client)
    page = client.get("/accounts/second-factor/recovery-codes/").content.decode()
    code = re.findall(r"\b\d{8}\b", page)[0]

    for is_good in (True, False):
        browser, _ = sign_in(acme)
        browser.post("/accounts/second-factor/authenticate/", {"code": code})
        assert (browser.get("/settings/tokens/").status_code == 200) is is_good


def test_secret_of_an_app_is_encrypted_in_the_database(acme: User, settings: Any) -> None:
    secret = set_up_app(confirmed(acme))
    row = Authenticator.objects.get(type=Authenticator.Type.TOTP)

    assert secret not in str(row.data)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-key-for-tests"
    assert row.wrap().validate_code(code_of(secret))


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("second-factor/", "Second factor"),
        ("second-factor/totp/activate/", "Set up an authenticator app"),
        ("second-factor/totp/deactivate/", "Take the authenticator app away?"),
        ("second-factor/recovery-codes/", "Recovery codes"),
        ("second-factor/recovery-codes/generate/", "Make new recovery codes?"),
        ("second-factor/webauthn/", "Security keys"),
        ("second-factor/webauthn/add/", "Add a security key"),
        ("second-factor/webauthn/keys/{key}/edit/", "Rename the key"),
        ("second-factor/webauthn/keys/{key}/remove/", "Remove Titan?"),
        ("sessions/", "Sessions"),
        ("email/", "E-mail"),
        ("password/change/", "Password"),
    ],
)
def test_settings_pages_have_our_look_and_words_and_no_inline_script(
    acme: User, page: str, heading: str
) -> None:
    client = confirmed(acme)
    if page.startswith(("second-factor/totp/d", "second-factor/r")):
        set_up_app(client)
    if "{key}" in page:
        row = Authenticator.objects.create(user=acme, type="webauthn", data={"name": "Titan"})
        page = page.format(key=row.pk)
    response = client.get(f"/accounts/{page}")
    html = response.content.decode()
    assert response.status_code == 200
    assert f"<h1>{heading}</h1>" in html
    assert 'aria-label="Settings"' in html
    assert "onclick" not in html
    inline = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", html)
    assert all('type="application/json"' in attributes for attributes in inline)
    assert "style=" not in html


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("reauthenticate/", "Is it you?"),
        ("password/reset/", "Forgotten your password?"),
        ("password/reset/done/", "Look into your mail"),
        ("password/reset/key/1-bad/", "This link works no more"),
        ("password/reset/key/done/", "Your password is changed"),
        ("confirm-email/bad/", "This link works no more"),
    ],
)
def test_pages_around_signing_in_have_our_words(acme: User, page: str, heading: str) -> None:
    client = sign_in(acme)[0] if page == "reauthenticate/" else Client()
    assert f"<h1>{heading}</h1>" in client.get(f"/accounts/{page}").content.decode()


def test_forgotten_password_is_replaced_by_mail(acme: User) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": acme.email})
    link = re.search(r"/accounts/password/reset/key/[^/]+/", mail.outbox[-1].body)
    assert link
    address = client.get(link[0])["Location"]
    assert "<h1>Choose a new password</h1>" in client.get(address).content.decode()
    new = "another-good-password"
    assert client.post(address, {"password1": new, "password2": new}).status_code == 302
    acme.refresh_from_db()
    assert acme.check_password(new)


def test_settings_lead_to_each_other(signed_in: Client) -> None:
    html = signed_in.get("/settings/tokens/").content.decode()
    for address in ("/accounts/second-factor/", "/accounts/sessions/", "/accounts/email/"):
        assert f'href="{address}"' in html


def test_other_sessions_can_be_ended(acme: User) -> None:
    (one, _), (two, _) = sign_in(acme), sign_in(acme)
    assert "Sign the others out" in words(one.get("/accounts/sessions/").content)
    one.post("/accounts/sessions/")
    assert one.get("/settings/tokens/").status_code == 200
    assert two.get("/settings/tokens/").status_code == 302


def test_new_password_signs_the_other_browsers_out(acme: User) -> None:
    (one, _), (two, _) = sign_in(acme), sign_in(acme)
    sent = {
        "oldpassword": PASSWORD,
        "password1": "another-good-password",
        "password2": "another-good-password",
    }
    one.post("/accounts/password/change/", sent)
    assert [browser.get("/settings/tokens/").status_code for browser in (one, two)] == [200, 302]


def test_staff_without_a_second_factor_are_led_to_setting_one_up(settings: Any) -> None:
    settings.STAFF_NEEDS_SECOND_FACTOR = True
    client = confirmed(make_user("operator", is_staff=True, is_superuser=True))

    answer = client.get("/admin/accounts/user/", follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/second-factor/"
    assert "staff pages take a second factor" in words(answer.content)

    set_up_app(client)
    assert client.get("/admin/accounts/user/").status_code == 200


def test_invitation_is_accepted_by_its_link_once_the_address_is_verified(acme: User) -> None:
    boss = make_user("boss")
    make_organisation(owner=boss)
    invitation_create(actor=boss, slug="initech", email=acme.email, role="writer")
    client, _ = sign_in(acme)
    text = invitation_create(actor=boss, slug="initech", email=acme.email, role="writer")[1]

    assert client.post(f"/invitations/{text}").status_code == 403
    client.post("/accounts/email/", {"email": acme.email, "action_send": ""})
    link = re.search(r"/accounts/confirm-email/[^/]+/", mail.outbox[-1].body)
    assert link
    client.post(link[0])
    assert EmailAddress.objects.get(user=acme).verified

    assert "Join initech?" in words(client.get(f"/invitations/{text}").content)
    assert not Membership.objects.filter(user=acme, namespace__slug="initech").exists()
    assert client.post(f"/invitations/{text}").status_code == 302
    assert Membership.objects.get(user=acme, namespace__slug="initech").role == "writer"
    assert client.post(f"/invitations/{text}").status_code == 409


def test_invitation_leads_to_sign_in_and_back(client: Client) -> None:
    answer = client.get("/invitations/some-text")
    assert answer["Location"] == "/accounts/login/?next=/invitations/some-text"


def test_token_for_everything_with_an_end(signed_in: Client, acme: User) -> None:
    signed_in.post("/settings/tokens/", {"name": "ops", "scope": "manage", "expires": "30"})
    token = acme.api_tokens.get()
    assert token.scopes == ["manage", "read", "write"]
    assert token.expires_at is not None
    assert (token.expires_at - token.created_at).days in (29, 30)
