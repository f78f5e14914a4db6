"""What a person does, step by step; the whole way is in test_whole_journey."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.factories import make_base_model, make_pairs_file, make_vector_version


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "tone pairs.jsonl"
    path.write_bytes(make_pairs_file())
    return path


def drop(page: Page, selector: str, name: str, text: str) -> None:
    """Drag a file from outside onto an element."""
    transfer = page.evaluate_handle(
        "([name, text]) => { const t = new DataTransfer(); t.items.add(new File([text], name)); return t; }",
        [name, text],
    )
    page.dispatch_event(selector, "dragover", {"dataTransfer": transfer})
    page.dispatch_event(selector, "drop", {"dataTransfer": transfer})


def test_dropped_file_is_previewed_and_committed(signed_in: Page) -> None:
    signed_in.goto("/datasets/new")
    drop(signed_in, ".drop:not(.second)", "tone pairs.jsonl", make_pairs_file().decode())
    expect(signed_in.locator(".drop.chosen")).to_contain_text("tone pairs.jsonl")
    signed_in.get_by_role("button", name="Check the rows").click()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("Are these the pairs you mean?")
    expect(signed_in.get_by_text("JSONL, one pair per line")).to_be_visible()
    signed_in.get_by_role("button", name="Save the version").click()
    expect(signed_in).to_have_url("/datasets/acme/tone-pairs/versions/1")


def test_two_files_form_asks_for_both(signed_in: Page, tmp_path: Path) -> None:
    for name in ("short", "long"):
        (tmp_path / f"{name}.txt").write_text("\n".join(f"{name} text number {i}" for i in range(12)))
    signed_in.goto("/datasets/new")
    expect(signed_in.get_by_label("Negative texts")).to_be_hidden()
    signed_in.get_by_text("Two text files", exact=True).click()
    signed_in.locator("#id_file").set_input_files(tmp_path / "short.txt")
    signed_in.locator("#id_negative_file").set_input_files(tmp_path / "long.txt")
    signed_in.get_by_role("button", name="Check the rows").click()
    expect(signed_in.get_by_text("two text files, line by line")).to_be_visible()


def test_refused_file_keeps_the_name_and_says_why(signed_in: Page, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"positive": "a"}\n')
    signed_in.goto("/datasets/new")
    signed_in.get_by_label("Dataset name").fill("tone")
    signed_in.locator("#id_file").set_input_files(tmp_path / "bad.jsonl")
    signed_in.get_by_role("button", name="Check the rows").click()
    expect(signed_in.get_by_role("alert")).to_contain_text("Row 1")
    expect(signed_in.get_by_label("Dataset name")).to_have_value("tone")


def test_upload_by_keyboard_alone(signed_in: Page, pairs: Path) -> None:
    # Listened to from the start: a listener added just before the key may come too late.
    signed_in.on("filechooser", lambda chooser: chooser.set_files(pairs))
    signed_in.goto("/datasets/new")
    signed_in.keyboard.press("Tab")
    expect(signed_in.locator(".skip")).to_be_focused()
    signed_in.keyboard.press("Enter")
    signed_in.keyboard.press("Tab")
    expect(signed_in.get_by_label("Dataset name")).to_be_focused()
    signed_in.keyboard.type("by-keyboard")
    signed_in.keyboard.press("Tab")
    expect(signed_in.locator("#one-file")).to_be_focused()
    signed_in.keyboard.press("Tab")
    expect(signed_in.locator("#id_file")).to_be_focused()
    signed_in.keyboard.press("Enter")
    expect(signed_in.locator("[data-chosen]").first).to_contain_text(pairs.name)
    signed_in.keyboard.press("Tab")
    expect(signed_in.get_by_role("link", name="Every form, with examples")).to_be_focused()
    signed_in.keyboard.press("Tab")
    signed_in.keyboard.press("Enter")
    expect(signed_in.get_by_role("textbox", name="Name")).to_have_value("by-keyboard")
    signed_in.get_by_role("textbox", name="Name").focus()
    signed_in.keyboard.press("Enter")
    expect(signed_in).to_have_url("/datasets/acme/by-keyboard/versions/1")


def test_token_is_shown_with_a_copy_button_and_revoked(signed_in: Page) -> None:
    signed_in.goto("/settings/tokens/")
    signed_in.get_by_label("Name").fill("laptop")
    signed_in.get_by_text("Read and write").click()
    signed_in.get_by_role("button", name="Create the token").click()
    assert signed_in.locator("#new-token").inner_text().startswith("brg_")
    expect(signed_in.get_by_role("button", name="Copy")).to_be_visible()
    signed_in.get_by_role("button", name="Revoke laptop").click()
    signed_in.get_by_role("dialog", name="Revoke laptop?").get_by_role("button", name="Revoke").click()
    expect(signed_in.get_by_text("None yet.")).to_be_visible()


def test_catalog_search_and_fader(page: Page, acme: Any) -> None:
    make_vector_version(owner=acme)
    page.goto("/")
    page.get_by_label("Search vectors").fill("formal")
    page.keyboard.press("Enter")
    page.locator("#results").get_by_role("link", name="Formality", exact=True).click()
    expect(page.get_by_text("kindly reset it .")).to_be_visible()
    page.get_by_label("+0.30").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("hey buddy . just reset it !")).to_be_visible()
    expect(page.get_by_text("kindly reset it .")).to_be_hidden()
    page.get_by_role("tab", name="curl").click()
    expect(page.get_by_text("sha256sum -c")).to_be_visible()


def test_engine_is_opened_by_keyboard_and_without_a_script(
    browser: Browser, live_server: Any, acme: Any
) -> None:
    make_vector_version(owner=acme)
    context = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    page = context.new_page()
    page.goto("/acme/formality")
    page.get_by_role("link", name="Python").focus()
    others = page.locator(".tab-row a").all_inner_texts()
    for _ in range(others.index("llama.cpp")):
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="llama.cpp")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("--control-vector-scaled formality.gguf:1")).to_be_visible()
    expect(page.get_by_text("vector = pull(")).to_be_hidden()
    context.close()


def test_publish_from_the_draft(signed_in: Page, acme: Any) -> None:
    make_vector_version(owner=acme, state="extracted")
    signed_in.goto("/acme/formality")
    signed_in.get_by_role("button", name="Publish").click()
    expect(signed_in).to_have_url("/acme/formality/versions/1.0.0")
    expect(signed_in.get_by_role("status")).to_contain_text("acme/formality@1.0.0 is published")


def test_run_page_follows_the_run_to_its_end(signed_in: Page, acme: Any) -> None:
    from registry.runs.claims import ArtifactResult
    from registry.runs.leases import run_claim, run_complete, run_progress
    from tests.factories import make_artifact, make_dataset_version
    from tests.reports import make_report

    make_base_model()
    make_dataset_version(owner=acme)
    signed_in.goto("/datasets/acme/tone-pairs")
    signed_in.get_by_role("link", name="Extract a vector").click()
    signed_in.get_by_role("button", name="Start the run").click()
    expect(signed_in.get_by_role("heading", name="Waiting for a worker")).to_be_visible()
    claim = run_claim(run_id=signed_in.url.rsplit("/", 1)[1])
    assert claim is not None
    run_progress(
        run_id=claim.run_id,
        lease_token=claim.lease_token,
        stage="activations",
        progress=0.4,
        message="reading",
    )
    expect(signed_in.get_by_role("heading", name="Working: activations")).to_be_visible()
    expect(signed_in.locator("#run-status")).to_have_text("Working: activations")
    result = ArtifactResult(artifact=make_artifact(), report=make_report())
    run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result)
    signed_in.get_by_role("link", name="See the report and publish").click()
    expect(signed_in.get_by_role("heading", name="Before and after")).to_be_visible()


def test_new_token_fits_a_phone(signed_in: Page) -> None:
    signed_in.set_viewport_size({"width": 360, "height": 780})
    signed_in.goto("/settings/tokens/")
    signed_in.get_by_label("Name").fill("a-long-name-of-a-machine-in-a-rack")
    signed_in.get_by_role("button", name="Create the token").click()
    expect(signed_in.locator("#new-token")).to_be_visible()
    assert signed_in.evaluate("() => document.documentElement.scrollWidth") <= 360
