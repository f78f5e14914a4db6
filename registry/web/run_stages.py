"""The steps of a run as a list: what is done, what is under way, what comes, and how long each took.

The names are those that workers give; a test holds them together with what the library goes through.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from registry.runs.models import Run, RunEvent
from registry.runs.states import RunState
from registry.web.durations import duration

# Families of metrics in the order in which they are measured; below the standard tier only those of `ALWAYS`.
ALWAYS = ("geometry", "steerability", "response", "controls", "prompting")
FAMILIES = (
    "geometry",
    "steerability",
    "response",
    "window",
    "safety",
    "transfer",
    "side_effects",
    "controls",
    "prompting",
    "blind",
    "latency",
)
BEFORE: dict[str, tuple[str, ...]] = {
    "extract": ("load", "pilot", "extract", "select"),
    "migrate": ("load", "migrate", "extract"),
    "import": ("load", "place", "extract"),
    "derive": ("load", "extract"),
    "compose": ("load", "measure"),
}
AFTER: dict[str, tuple[str, ...]] = {
    "extract": ("certify", "store"),
    "migrate": ("comparison", "certify", "store"),
    "import": ("certify", "store"),
    "derive": ("certify", "store"),
    "compose": (),
}
LABELS = {
    "queued": "Wait for a worker",
    "load": "Load the base model",
    "pilot": "Ask how many pairs the trait takes",
    "extract": "Read activations at every block",
    "select": "Choose block, pooling and strength",
    "migrate": "Fit a map between the two models",
    "place": "Read activations at the file’s place",
    "measure": "Measure what the vectors do together",
    "geometry": "Is there such a direction",
    "steerability": "Does it move the answers’ probabilities",
    "response": "Response to each strength",
    "window": "Where the window ends",
    "safety": "Harmful and harmless requests",
    "transfer": "Other domains, prompts and forms",
    "side_effects": "What else changes",
    "controls": "Vectors that have no right to an effect",
    "prompting": "The same asked for in words",
    "blind": "Replies for people to compare",
    "latency": "What it costs in time",
    "comparison": "Compare with the target’s own vector",
    "certify": "Record what engines must do with it",
    "store": "Store the vector",
}


@dataclass(frozen=True, slots=True)
class StageRow:
    """One step: `done`, `now`, `next`, or `ended` where the run ended without a result."""

    label: str
    state: str
    took: str
    is_measuring: bool


def stages_of(kind: str, tier: str) -> tuple[str, ...]:
    """The steps that a run of a kind and tier goes through, after the wait."""
    families = FAMILIES if tier != "smoke" else tuple(name for name in FAMILIES if name in ALWAYS)
    return (*BEFORE[kind], *(() if kind == "compose" else families), *AFTER[kind])


def stage_rows(run: Run, tier: str, events: Sequence[RunEvent], now: datetime) -> list[StageRow]:
    """The steps of the present attempt, with the wait before it."""
    plan = stages_of(run.kind, tier)
    started = _starts(run, plan, events)
    ends = run.finished_at or now
    order = sorted(started, key=lambda name: started[name])
    until = {name: started[following] for name, following in pairwise(order)}
    current = order[-1] if order and run.state != RunState.QUEUED else None
    rows = [_waiting(run)]
    for name in plan:
        if run.state == RunState.SUCCEEDED and name not in started:
            continue
        state = _state(run, name, current, started, plan)
        took = ""
        if name in started and state != "next":
            took = duration((until.get(name, ends) - started[name]).total_seconds())
        rows.append(StageRow(LABELS[name], state, took, name in FAMILIES))
    return rows


def _starts(run: Run, plan: Sequence[str], events: Sequence[RunEvent]) -> dict[str, datetime]:
    starts: dict[str, datetime] = {}
    for event in events:
        if event.attempt == run.attempt and event.stage in plan:
            starts.setdefault(event.stage, event.at)
    return starts


def _waiting(run: Run) -> StageRow:
    if run.started_at is None:
        return StageRow(LABELS["queued"], "ended" if run.is_over else "now", "", False)
    took = duration((run.started_at - run.created_at).total_seconds()) if run.attempt == 1 else ""
    return StageRow(LABELS["queued"], "now" if run.state == RunState.QUEUED else "done", took, False)


def _state(
    run: Run, name: str, current: str | None, started: dict[str, datetime], plan: Sequence[str]
) -> str:
    if run.state == RunState.SUCCEEDED:
        return "done"
    if name == current:
        return "ended" if run.is_over else "now"
    is_past = current is not None and plan.index(name) < plan.index(current)
    return "done" if is_past and name in started else "next"
