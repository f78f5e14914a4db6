"""An organisation from its founding to the line in its log, by two people."""

from typing import Any

from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from tests.factories import make_organisation, make_user


def test_organisation_is_founded_joined_and_told_in_its_log(
    signed_in: Page, context: BrowserContext, live_server: Any
) -> None:
    from allauth.account.models import EmailAddress

    ada = make_user("ada")
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)

    signed_in.goto("/organisations/new")
    signed_in.get_by_label("Name", exact=True).fill("initech")
    signed_in.get_by_role("button", name="Found it").click()
    signed_in.get_by_label("E-mail address").fill(ada.email)
    signed_in.get_by_role("button", name="Send the invitation").click()
    path = signed_in.locator("#new-link").inner_text().partition("/invitations/")[2]

    browser = context.browser
    assert browser
    other = browser.new_context(base_url=live_server.url)
    client = Client()
    client.force_login(ada)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    other.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    joining = other.new_page()
    joining.goto(f"/invitations/{path}")
    joining.get_by_role("button", name="Join").click()
    expect(joining).to_have_url("/initech")
    other.close()

    signed_in.goto("/organisations/initech/members")
    signed_in.get_by_label("Role of ada").select_option("admin")
    signed_in.get_by_role("button", name="Change the role of ada").click()
    expect(signed_in.get_by_label("Role of ada")).to_have_value("admin")
    signed_in.get_by_role("link", name="Log", exact=True).click()
    expect(signed_in.get_by_text("made ada admin, before writer")).to_be_visible()
    expect(signed_in.get_by_text("joined as writer, invited by acme")).to_be_visible()

    signed_in.goto("/organisations/initech/members")
    signed_in.get_by_role("button", name="Remove ada").click()
    asked = signed_in.get_by_role("dialog", name="Remove ada?")
    signed_in.keyboard.press("Escape")
    expect(asked).to_be_hidden()
    signed_in.get_by_role("button", name="Remove ada").click()
    asked.get_by_role("button", name="Remove").click()
    expect(signed_in.get_by_text("ada is no member any more.")).to_be_visible()


def test_parts_of_an_organisation_stand_above_the_page_on_a_phone(signed_in: Page, acme: Any) -> None:
    make_organisation(owner=acme)
    signed_in.set_viewport_size({"width": 360, "height": 780})
    signed_in.goto("/organisations/initech/members")
    parts = signed_in.locator(".settings-nav").bounding_box()
    heading = signed_in.get_by_role("heading", level=1).bounding_box()
    assert parts
    assert heading
    assert parts["y"] + parts["height"] <= heading["y"]
