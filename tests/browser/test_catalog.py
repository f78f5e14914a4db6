"""Search as one types, filters, going back, and what to do where nothing fits."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Error, Page, Route, expect

from registry.catalog.vectors import vector_update
from tests.factories import make_vector_version


def test_search_as_one_types_keeps_focus_address_and_history(page: Page, acme: Any) -> None:
    make_vector_version(acme, "formality")
    make_vector_version(acme, "brief", verdict="fail", seed=1)
    vector_update(actor=acme, name="brief", domain="verbosity", trait="brevity")
    page.goto("/")
    words, cards = page.get_by_label("Search vectors"), page.locator("#results .cards li h3")
    expect(page.locator(".example")).to_contain_text("kindly reset it .")
    page.locator("body").press("/")
    page.keyboard.type("bri", delay=20)
    expect(cards).to_have_text(["Brief"])
    expect(words).to_be_focused()
    expect(page.locator("#found-status")).to_have_text("1 vector.")
    expect(page).to_have_url("/?q=bri")
    page.keyboard.type("ef")
    expect(page).to_have_url("/?q=brief")
    # What follows renews the results without a new page.
    page.evaluate("() => { window.isSame = true; }")
    page.locator("#verdict-fail").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("verdict=fail"))
    expect(page.locator("#verdict-fail")).to_be_focused()
    expect(page.get_by_role("link", name="Remove Verdict Fails")).to_be_visible()
    assert page.evaluate("() => window.isSame")
    page.locator(".is-fail .reason-button").focus()
    expect(page.locator(".is-fail").get_by_role("tooltip")).to_contain_text(
        "Existence: What decides existence."
    )
    page.go_back()
    expect(page).to_have_url("/?q=brief")
    expect(words).to_have_value("brief")
    page.go_back()
    expect(page).to_have_url("/")
    expect(words).to_have_value("")
    expect(cards).to_have_count(2)
    words.fill("zebra")
    expect(page.get_by_role("heading", name="Nothing fits")).to_be_visible()
    expect(page.get_by_role("link", name="brevity")).to_be_visible()
    expect(page.locator("#results").get_by_role("link", name="Upload pairs")).to_be_visible()


def test_filters_are_a_sheet_on_a_phone_that_stays_open(page: Page, acme: Any) -> None:
    make_vector_version(acme, "formality")
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto("/?q=form")
    expect(page.locator("#verdict-pass")).to_be_hidden()
    page.get_by_text("Filters", exact=True).click()
    page.locator("#verdict-pass").click()
    expect(page).to_have_url(re.compile("verdict=pass"))
    expect(page.locator("#verdict-pass")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


@pytest.fixture
def patient_page(context: BrowserContext) -> Iterator[Page]:
    """A page on which requests may fail: htmx tells the console of those, which `page` takes for a fault."""
    page = context.new_page()
    thrown: list[Error] = []
    page.on("pageerror", lambda error: thrown.append(error))
    yield page
    assert thrown == []


def test_filter_that_does_not_get_through_says_so_and_works_again(patient_page: Page, acme: Any) -> None:
    page = patient_page
    make_vector_version(acme, "formality")
    page.goto("/")
    page.route("**/?verdict=*", lambda route: route.abort())
    page.locator("#verdict-fail").click()
    expect(page.locator("#found-status")).to_contain_text("did not get through")
    page.unroute("**/?verdict=*")
    page.locator("#verdict-fail").click()
    expect(page.get_by_role("heading", name="Nothing fits")).to_be_visible()


def test_what_was_asked_last_stays(patient_page: Page, acme: Any) -> None:
    page = patient_page
    make_vector_version(acme, "formality")
    page.goto("/")
    page.evaluate("() => { window.isSame = true; }")
    held: list[Route] = []
    page.route("**/?verdict=fail", lambda route: held.append(route))
    page.locator("#verdict-fail").click()
    page.locator("#grade-b").click()
    expect(page).to_have_url(re.compile("grade=B"))
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    expect(page).to_have_url(re.compile("grade=B"))
    assert page.evaluate("() => window.isSame")


def test_filter_opens_elsewhere_where_one_asks_for_that(page: Page, acme: Any) -> None:
    make_vector_version(acme, "formality")
    page.goto("/")
    with page.context.expect_page() as opened:
        page.locator("#verdict-pass").click(modifiers=["Control"])
    expect(opened.value).to_have_url(re.compile("verdict=pass"))
    expect(opened.value.get_by_role("link", name="Remove Verdict Passes")).to_be_visible()
    expect(page).to_have_url("/")
