"""The main job as one person does it in the browser, from the account to a preset on the command line; a real
worker extracts the vector and writes the mixer's texts.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from registry.runs.models import Run
from steering_core.client import Hub
from steering_core.client.cli import app
from steering_core.demo import demo_pairs
from tests.browser.test_mixer import written
from tests.flows.conftest import Processes, demo_model, processes, wait_for

__all__ = ["demo_model", "processes", "wait_for"]  # fixtures of the journeys with real workers

N_PAIRS = 24


def caa_file(folder: Path) -> Path:
    """Pairs in the demo model's language in the form of CAA; the third has its sides the wrong way round."""
    pairs = demo_pairs("formality", N_PAIRS, seed=1)
    sides = [(pair.positive, pair.negative) for pair in pairs]
    sides[2] = sides[2][::-1]
    rows = [
        {"question": pair.prompt, "answer_matching_behavior": one, "answer_not_matching_behavior": other}
        for pair, (one, other) in zip(pairs, sides, strict=True)
    ]
    path = folder / "formality.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::steering_core.client.RegistryWarning")
def test_from_an_account_to_a_preset_on_the_command_line(
    page: Page,
    demo_model: Any,
    processes: Processes,
    wait_for: Callable[..., None],
    live_server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sign_up(page)
    upload(page, caa_file(tmp_path))
    extract(page, processes, wait_for)
    read_and_publish(page)
    mix_and_save(page)
    # Who pulls it is somebody else: no account, an empty cache.
    monkeypatch.setenv("BEARING_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["--endpoint", live_server.url, "pull", "preset:ada/formal-mix", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["version"] == "1.0.0"
    with Hub(live_server.url, "", tmp_path / "home", offline=True) as hub:
        ((vector, strength),) = hub.pull_preset("ada/formal-mix").mix()
    assert (vector.model.model_hash, strength) == (demo_model.model_hash, 0.3)


def sign_up(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Email").fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill("a-good-pass-1")
    page.get_by_label("Password (again)").fill("a-good-pass-1")
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator(".menu summary")).to_contain_text("ada")


def upload(page: Page, path: Path) -> None:
    page.goto("/datasets/new")
    page.locator("#id_file").set_input_files(path)
    page.get_by_role("button", name="Check the rows").click()
    expect(page.get_by_text("CAA A/B questions (JSON)")).to_be_visible()
    wrong = page.locator("#row-3 .side.positive").inner_text().splitlines()[-1]
    page.locator("#row-3").get_by_role("button", name="Swap the sides of row 3").click()
    expect(page.locator("#row-3 .side.negative")).to_contain_text(wrong)
    page.get_by_role("button", name="Save the version").click()
    expect(page).to_have_url("/datasets/ada/formality/versions/1")


def extract(page: Page, processes: Processes, wait_for: Callable[..., None]) -> None:
    page.get_by_role("link", name="Extract a vector").first.click()
    expect(page.get_by_role("group", name="What each tier will take on bearing/demo")).to_contain_text(
        "no run yet to judge by"
    )
    page.get_by_label("Vector name").fill("formal")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_role("heading", name="Waiting for a worker")).to_be_visible()
    processes.start_worker(concurrency=1, queues="gpu,cpu,playground")
    expect(page.get_by_role("heading", name="Block by block")).to_be_visible(timeout=180_000)
    # Away while it works, and led back by the notification.
    page.goto("/datasets/")
    wait_for(lambda: Run.objects.get().is_over, 300)
    page.reload()
    page.get_by_role("link", name="Notifications, 1 unread").click()
    page.locator("button.told-text", has_text="ada/formal is ready").click()
    expect(page).to_have_url(f"/runs/{Run.objects.get().pk}")
    expect(page.get_by_role("heading", name="Measured so far")).to_be_visible()
    expect(page.get_by_role("link", name="Notifications", exact=True)).to_be_visible()


def read_and_publish(page: Page) -> None:
    page.get_by_role("link", name="See the report and publish").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Formal")
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible()
    page.get_by_role("radio", name=re.compile("^Public")).check()
    page.get_by_role("button", name="Publish").click()
    expect(page).to_have_url("/ada/formal/versions/1.0.0")
    page.goto("/")
    page.get_by_label("Search vectors").fill("formal")
    page.locator("#results").get_by_role("link", name="Formal", exact=True).click()
    expect(page).to_have_url(re.compile(r"/ada/formal"))


def mix_and_save(page: Page) -> None:
    page.get_by_role("link", name="Try it in the mixer").click()
    neutral = written(page, "neutral")
    page.get_by_label(re.compile("Strength of", re.I)).fill("0.3")
    expect(page).to_have_url(re.compile(r"formal@1\.0\.0:0\.3"))
    assert written(page, "a") != neutral
    page.get_by_label("Name").fill("formal-mix")
    page.get_by_role("button", name="Save as preset").click()
    expect(page).to_have_url(re.compile("/presets/ada/formal-mix/drafts/"))
    page.get_by_role("button", name="Publish unmeasured").click()
    expect(page.get_by_role("status").first).to_contain_text("ada/formal-mix@1.0.0 is published")
