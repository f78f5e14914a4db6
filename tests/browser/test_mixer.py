"""The mixer as a person uses it, on the demo model: move a slider, heed a warning, share, save, and without a
script.
"""

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from registry.core.valkey import valkey
from registry.playground.line import P
from tests.demo_vectors import demo_artifact

ADDRESS = "/mixer?v=acme/formality@1.0.0:0.2&seed=3&max=16"
COUNT_SHIFTS = (
    "window.moved = 0; const add = entry => { if (!entry.hadRecentInput) window.moved += entry.value; };"
    "new PerformanceObserver(list => list.getEntries().forEach(add))"
    ".observe({type: 'layout-shift', buffered: true});"
)


@pytest.fixture
def formality(acme: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A published vector that steers the demo model."""
    from registry.catalog.base_models import base_model_register
    from steering_core.demo.paths import weights_path
    from tests.factories import make_vector_version

    row, _ = base_model_register(path=weights_path(), name="bearing/demo", scorer="demo")
    monkeypatch.setattr("tests.factories.make_base_model", lambda *_: row)
    return make_vector_version(owner=acme, artifact=demo_artifact())


@pytest.fixture
def player(formality: Any) -> Iterator[None]:
    """The playground's worker, as a thread of the tests."""
    from workers.tasks.playground import play

    for key in valkey().scan_iter(f"{P}*"):
        valkey().delete(key)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            play()
            time.sleep(0.05)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join()


def written(page: Page, column: str) -> str:
    """The text of a column once all are written."""
    expect(page.locator("#timing")).not_to_be_empty(timeout=60_000)
    expect(page.locator(".say.waiting, .say.writing")).to_have_count(0, timeout=60_000)
    return page.locator(f"[data-column={column}] [data-text]").inner_text()


def test_a_mix_is_tried_shared_and_saved(signed_in: Page, player: None, browser: Browser) -> None:
    page = signed_in
    page.set_default_timeout(60_000)
    page.add_init_script(COUNT_SHIFTS)
    page.goto(ADDRESS)
    neutral, first = written(page, "neutral"), written(page, "a")
    assert neutral != first
    assert page.evaluate("window.moved") < 0.05

    slider = page.get_by_role("slider", name=re.compile("formality", re.I))
    slider.focus()
    for _ in range(7):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_label(re.compile("Strength of", re.I))).to_have_value("0.55")
    expect(page.locator("#cautions")).to_contain_text("outside its window")
    expect(page).to_have_url(re.compile(r"v=acme/formality@1\.0\.0:0\.55"))
    moved = written(page, "a")
    assert moved != first
    assert written(page, "neutral") == neutral

    page.reload()
    expect(page.get_by_label(re.compile("Strength of", re.I))).to_have_value("0.55")
    assert (written(page, "neutral"), written(page, "a")) == (neutral, moved)

    slider.focus()
    page.keyboard.press("0")
    expect(page.locator("#cautions li")).to_have_count(0)
    expect(page.locator("[data-column=a] [data-text]")).to_have_text(neutral)
    page.get_by_label(re.compile("Strength of", re.I)).fill("0.2")
    page.get_by_label("Name").fill("formal")
    page.get_by_role("button", name="Save as preset").click()
    expect(page).to_have_url(re.compile("/presets/acme/formal/drafts/"))
    expect(page.get_by_role("status").first).to_contain_text("acme/formal is put together")

    context = browser.new_context(java_script_enabled=False, base_url=page.url.partition("/presets")[0])
    plain = context.new_page()
    plain.goto(ADDRESS, timeout=60_000)
    plain.get_by_role("button", name="Write").click(timeout=60_000)
    expect(plain.locator("[data-column=a] [data-text]")).to_have_text(first, timeout=60_000)
    expect(plain.locator("#timing")).not_to_be_empty()
    plain.get_by_role("button", name="Compare A / B").click(timeout=60_000)
    expect(plain).to_have_url(re.compile(r"v=acme/formality@1\.0\.0:0\.2&b=acme/formality@1\.0\.0:0\.2"))
    context.close()
