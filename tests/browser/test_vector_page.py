"""The page of a vector as people use it: the fader, the tabs, copying, previewing a card."""

from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from tests.factories import make_vector_version


def test_first_screen_by_keyboard_by_drag_and_by_copy(
    page: Page, context: BrowserContext, live_server: Any, acme: Any
) -> None:
    make_vector_version(owner=acme)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    page.goto("/acme/formality")
    steered, unsteered = (
        page.get_by_text("kindly reset it ."),
        page.get_by_text("hey buddy . just reset it !"),
    )
    expect(steered).to_be_visible()
    expect(page.locator(".say.on.to mark").first).to_have_text("kindly")

    page.get_by_label("+0.30").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(unsteered).to_be_visible()
    expect(steered).to_be_hidden()
    mixer = page.get_by_role("link", name="Try it in the mixer")
    expect(mixer).to_have_attribute(
        "href", f"{live_server.url}/mixer?vector=acme%2Fformality%401.0.0&strength=-0.3"
    )
    track = page.locator(".fader-track").bounding_box()
    assert track is not None
    page.mouse.move(track["x"] + 20, track["y"] + 15)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] - 20, track["y"] + 15, steps=4)
    page.mouse.up()
    expect(steered).to_be_visible()

    page.get_by_role("tab", name="Python").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", selected=True)).to_be_focused()
    expect(page.get_by_text("vector = pull(")).to_be_hidden()
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="curl")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("sha256sum -c")).to_be_visible()
    assert page.url.endswith("#use-curl")

    page.get_by_role("button", name="Copy the reference", exact=True).click()
    assert page.evaluate("() => navigator.clipboard.readText()") == "acme/formality@1.0.0"


def test_card_is_previewed_before_it_is_saved(signed_in: Page, acme: Any) -> None:
    make_vector_version(owner=acme)
    signed_in.goto("/acme/formality")
    signed_in.get_by_text("Title, description, card, visibility").click()
    signed_in.get_by_label("Card").fill("# Limits\n\n<img src=x onerror=alert(1)> *not* for law")
    signed_in.get_by_role("button", name="Preview the card").click()
    expect(signed_in.locator("#card-preview h3")).to_have_text("Limits")
    expect(signed_in.locator("#card-preview em")).to_have_text("not")
    expect(signed_in.locator("#card-preview img")).to_have_count(0)
    signed_in.get_by_role("button", name="Save").click()
    expect(signed_in.locator("section[aria-labelledby=card] h3")).to_have_text("Limits")
