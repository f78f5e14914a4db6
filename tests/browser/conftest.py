"""A real Chromium against a live server; a page that breaks the content security policy fails its test."""

import os
from collections.abc import Iterator
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from tests.chromium import ARGUMENTS, find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PASSWORD = "a-good-password"


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """One browser for all tests. Its driver runs an event loop in this thread; Django must not mind."""
    from playwright.sync_api import sync_playwright

    found = find_chromium()
    assert found, "no Chromium; python tests/chromium.py installs one"
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(found), args=list(ARGUMENTS))
        yield chromium
        chromium.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def context(browser: "Browser", live_server: Any) -> Iterator["BrowserContext"]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url)
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context: "BrowserContext") -> Iterator["Page"]:
    """A page without an account. What the console says about errors and policy ends the test."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console", lambda line: complaints.append(line.text) if is_complaint(line.text, line.type) else None
    )
    yield page
    assert complaints == []


@pytest.fixture
def acme(transactional_db: None) -> Any:
    from tests.factories import make_user

    return make_user("acme")


@pytest.fixture
def signed_in(page: "Page", context: "BrowserContext", acme: Any, live_server: Any) -> "Page":
    """A page signed in as acme, with a session made on the server."""
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(acme)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    return page


def is_complaint(text: str, kind: str) -> bool:
    """Answers with 4xx are part of some tests and are not the page's fault."""
    return kind in ("error", "warning") and not text.startswith("Failed to load resource")


@pytest.fixture(scope="session")
def axe_source() -> str:
    """axe-core, as axe-playwright-python carries it."""
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
