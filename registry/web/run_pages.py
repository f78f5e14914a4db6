"""One run as its page shows it, whole or as far as it changed since the browser looked last."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone

from registry.catalog.states import RELEASED, VersionState
from registry.runs.models import Run
from registry.runs.selectors import Queue, event_tail, queue_get
from registry.runs.states import ErrorClass, RunState
from registry.web.block_plots import NARROW, WIDE, block_plot
from registry.web.durations import about, duration
from registry.web.plots import NARROW as NARROW_CURVE
from registry.web.plots import WIDE as WIDE_CURVE
from registry.web.plots import dose_response
from registry.web.remedies import remedy_for
from registry.web.run_facts import Facts, read_facts
from registry.web.run_stages import LABELS, stage_rows
from registry.web.vector_page import version_url

# More than any attempt makes: new stages and facts alone make one.
EVENTS_SHOWN = 200
STATE_WORDS = {
    "queued": "Waiting for a worker",
    "running": "Working",
    "succeeded": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "timed_out": "Ran out of time",
}
KIND_WORDS = {
    "extract": "extraction",
    "migrate": "move to another model",
    "import": "import",
    "compose": "preset measurement",
    "derive": "derivation",
}
# Less of a run, or a shorter time, says nothing of how long the rest takes.
LEAST_PROGRESS, LEAST_SECONDS = 0.05, 3.0
TICK_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Times:
    """How long a run waited, has been working, and is likely to go on, in words; empty for what is not."""

    waited: str
    worked: str
    left: str


def run_context(run: Run, *, after: int = 0, seen: str = "") -> dict[str, Any]:
    """All that the page or its changing parts show; empty where nothing has changed.

    Args:
        after: the id of the last line of the log that the browser has.
        seen: the `mark` of what it shows.
    """
    # Those that the browser has too, since what was measured stands in them.
    tail = event_tail(run=run, limit=EVENTS_SHOWN + 1)
    events = tail[-EVENTS_SHOWN:]
    newest = events[-1].pk if events else 0
    queue = _queue(run)
    # An unchanged page is neither made anew nor replaced under the reader.
    if (mark := _mark(run, newest, queue)) == seen:
        return {}
    facts = read_facts(events, run.attempt)
    new = [event for event in events if event.pk > after]
    tier = run.vector_version.spec.get("tier", "") if run.vector_version else run.measure.get("tier", "")
    return {
        "run": run,
        "kind_word": KIND_WORDS[run.kind],
        "tier": tier,
        "events": new,
        "newest": newest,
        "left_out": len(tail) > EVENTS_SHOWN,
        "events_shown": EVENTS_SHOWN,
        # The text of a platform error is for the log of the service, not for its users.
        "hidden_message": run.error_message[:500] if run.error_class == ErrorClass.PLATFORM else None,
        "is_over": run.is_over,
        "status_line": status_line(run),
        "percent": round(100 * run.progress),
        "times": _times(run),
        "queue": queue,
        "stages": stage_rows(run, tier, events, timezone.now()),
        "remedy": remedy_for(run),
        "can_retry": run.state in (RunState.FAILED, RunState.CANCELLED, RunState.TIMED_OUT),
        "result_url": result_url(run) if run.state == RunState.SUCCEEDED else "",
        "has_news": any(event.data for event in new),
        **_drawn(facts),
        "mark": mark,
    }


def status_line(run: Run) -> str:
    """What it is doing, in a few words."""
    words = STATE_WORDS[run.state]
    if run.state != RunState.RUNNING or not run.stage:
        return words
    return f"{words}: {LABELS.get(run.stage, run.stage.replace('_', ' '))}"


def result_url(run: Run) -> str:
    """The page of what the run made; empty when it made nothing."""
    version = run.vector_version
    if version is None:
        mix, place = run.target, (run.subject.owner.slug, run.subject.name)
        if mix.version:
            return reverse("web:preset_version", args=(*place, mix.version))
        return reverse("web:preset_draft", args=(*place, mix.pk))
    return version_url(version) if version.state in (*RELEASED, VersionState.EXTRACTED) else ""


def worked_for(run: Run) -> str:
    """How long its last attempt worked, so far or in all."""
    if run.started_at is None:
        return ""
    return duration(((run.finished_at or timezone.now()) - run.started_at).total_seconds())


def _times(run: Run) -> Times:
    began = run.started_at or run.finished_at or timezone.now()
    waited = duration((began - run.created_at).total_seconds()) if run.attempt <= 1 else ""
    left = ""
    if run.state == RunState.RUNNING and run.started_at:
        seconds = (timezone.now() - run.started_at).total_seconds()
        if run.progress >= LEAST_PROGRESS and seconds >= LEAST_SECONDS:
            left = about(seconds * (1 - run.progress) / run.progress)
    return Times(waited, worked_for(run), left)


def _mark(run: Run, newest: int, queue: Queue | None) -> str:
    """Changes with what is shown; times move on every few seconds."""
    place = f"{queue.ahead}.{queue.working}" if queue else ""
    tick = 0
    if run.state == RunState.RUNNING and run.started_at:
        tick = int((timezone.now() - run.started_at).total_seconds() // TICK_SECONDS)
    return f"{run.state}-{run.progress:.4f}-{newest}-{int(run.cancel_requested)}-{place}-{tick}"


def _queue(run: Run) -> Queue | None:
    return queue_get(run=run) if run.state == RunState.QUEUED else None


def _drawn(facts: Facts) -> dict[str, Any]:
    shown: dict[str, Any] = {"facts": facts}
    if facts.lines:
        shown["blocks_wide"] = block_plot(facts.lines, facts.chosen, WIDE)
        shown["blocks_narrow"] = block_plot(facts.lines, facts.chosen, NARROW)
    if facts.curve:
        shown["curve_wide"] = dose_response(facts.curve, WIDE_CURVE, prefix="so-far")
        shown["curve_narrow"] = dose_response(facts.curve, NARROW_CURVE, prefix="so-far")
    return shown
