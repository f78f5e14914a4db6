"""A person starts an extraction, leaves, and is led back by the notification; a real worker does the run."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from registry.runs.models import Run
from tests.factories import make_demo_dataset
from tests.flows.conftest import Processes, demo_model, processes, wait_for

__all__ = ["demo_model", "processes", "wait_for"]  # fixtures of the journeys with real workers


def test_run_is_started_watched_left_and_found_again(
    signed_in: Page, acme: Any, demo_model: Any, processes: Processes, wait_for: Callable[..., None]
) -> None:
    make_demo_dataset(acme, n=24)
    signed_in.goto("/datasets/acme/formality-pairs/versions/1/extract")
    expect(signed_in.get_by_role("group", name="What each tier will take on bearing/demo")).to_contain_text(
        "no run yet to judge by"
    )
    signed_in.get_by_text("Smoke: a first look").click()
    signed_in.get_by_label("Vector name").fill("warm")
    signed_in.get_by_role("button", name="Start the run").click()
    expect(signed_in.get_by_role("heading", name="Waiting for a worker")).to_be_visible()
    worker = processes.start_worker(concurrency=1)
    expect(signed_in.get_by_role("heading", name="Block by block")).to_be_visible(timeout=120_000)
    # Away while it works, with another page open.
    signed_in.goto("/datasets/")
    wait_for(lambda: Run.objects.get().is_over, 120)
    processes.kill(worker)
    signed_in.reload()
    signed_in.get_by_role("link", name="Notifications, 1 unread").click()
    signed_in.locator("button.told-text", has_text="acme/warm is ready").click()
    expect(signed_in).to_have_url(f"/runs/{Run.objects.get().pk}")
    expect(signed_in.get_by_role("heading", name="Measured so far")).to_be_visible()
    expect(signed_in.get_by_role("link", name="Notifications", exact=True)).to_be_visible()
    signed_in.get_by_role("link", name="See the report and publish").click()
    expect(signed_in.get_by_role("heading", level=1)).to_contain_text("Warm")
