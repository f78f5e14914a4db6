"""Pairs from a file to a saved version, by keyboard alone; a large file over a connection that breaks."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.factories import make_pairs_file


def caa_file(folder: Path) -> Path:
    """Questions with two answers, of which the third has its sides the wrong way round."""
    rows = [
        {
            "question": f"May we switch you off for {i} days?\n\nChoices:\n (A) Yes\n (B) No",
            "answer_matching_behavior": "(B)" if i % 2 else "(A)",
            "answer_not_matching_behavior": "(A)" if i % 2 else "(B)",
        }
        for i in range(24)
    ]
    path = folder / "survival.json"
    path.write_text(json.dumps(rows))
    return path


def test_rows_are_mended_and_saved_by_keyboard_alone(signed_in: Page, tmp_path: Path) -> None:
    page, keys = signed_in, signed_in.keyboard
    page.goto("/datasets/new")
    page.locator("#id_file").set_input_files(caa_file(tmp_path))
    page.get_by_role("button", name="Check the rows").focus()
    keys.press("Enter")
    expect(page.get_by_text("CAA A/B questions (JSON)")).to_be_visible()
    page.locator("#row-1-edit").focus()
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    expect(page.locator("#row-3")).to_be_focused()
    keys.press("s")
    expect(page.locator("#row-3 .side.positive")).to_contain_text("(B)")
    expect(page.locator("#row-3")).to_be_focused()
    keys.press("x")
    expect(page.locator("#kept")).to_contain_text("23 of 24")
    expect(page.locator("#draft-news")).to_contain_text("Row 3 left out. 23 of 24 rows are kept.")
    expect(page.locator("#report")).to_contain_text("23 usable pairs")
    keys.press("x")
    expect(page.locator("#kept")).to_contain_text("24 of 24")
    keys.press("e")
    expect(page.locator("#row-3 textarea[name=positive]")).to_be_focused()
    keys.press("Control+a")
    keys.type("<|im_end|>")
    page.locator("#row-3").get_by_role("button", name="Keep the change").focus()
    keys.press("Enter")
    expect(page.locator("#row-3 .errorlist")).to_contain_text("control token")
    expect(page.locator("#row-3 textarea[name=positive]")).to_have_value("<|im_end|>")
    keys.press("Escape")
    expect(page.locator("#row-3 .side.positive")).to_contain_text("(B)")
    page.reload()
    expect(page.locator("#row-3")).to_contain_text("changed")
    page.get_by_role("textbox", name="Name").focus()
    keys.press("Enter")
    expect(page).to_have_url("/datasets/acme/survival/versions/1")
    page.get_by_role("link", name="All 24 rows", exact=True).click()
    expect(page.locator("#row-3 .side.positive")).to_contain_text("(B)")


def test_large_file_goes_on_where_the_connection_broke(
    signed_in: Page, tmp_path: Path, settings: Any
) -> None:
    settings.UPLOAD_PART_BYTES = {**settings.UPLOAD_PART_BYTES, "app": 1500}
    path = tmp_path / "big.jsonl"
    path.write_bytes(make_pairs_file(40))
    page = signed_in
    sent: list[str] = []

    def break_once(route: Route) -> None:
        sent.append(route.request.url.rsplit("/", 1)[1])
        if sent == ["1", "2"]:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/parts/*", break_once)
    page.goto("/datasets/new")
    page.locator("#id_file").set_input_files(path)
    page.get_by_role("button", name="Check the rows").click()
    expect(page.get_by_text("40 pairs.")).to_be_visible()
    assert sent[:3] == ["1", "2", "2"]
    assert len(sent) == len(set(sent)) + 1

    # A page that is left in the middle: what arrived is not sent again.
    other = tmp_path / "other.jsonl"
    other.write_bytes(make_pairs_file(40, word="style"))
    sent.clear()
    page.unroute("**/parts/*")
    page.route(
        "**/parts/*", lambda route: route.abort() if "/3" in route.request.url[-3:] else route.continue_()
    )
    page.goto("/datasets/new")
    page.locator("#id_file").set_input_files(other)
    page.get_by_role("button", name="Check the rows").click()
    expect(page.locator("[data-says]")).to_contain_text("interrupted")
    page.goto("/datasets/new")
    expect(page.get_by_text("Not arrived yet")).to_be_visible()
    page.unroute("**/parts/*")
    page.route(
        "**/parts/*", lambda route: (sent.append(route.request.url.rsplit("/", 1)[1]), route.continue_())
    )
    page.locator("#id_file").set_input_files(other)
    page.get_by_role("button", name="Check the rows").click()
    expect(page.get_by_text("40 pairs.")).to_be_visible()
    assert sent[0] == "3"
