"""The gates of a report and the metrics behind them as a page shows them. Any metric is shown by what it says
of itself, so that a new one needs no change here; `reports` puts them into the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.web.numbers import minus, percent, plain, span

Json = Mapping[str, Any]
SHARES = frozenset({"anti_steerable"})
DIGITS = {"ratio": 3}
TITLES = {
    "existence": "Existence",
    "causal": "Effect",
    "reliability": "Reliability",
    "side_effects": "Side effects",
    "safety": "Safety",
    "transfer": "Transfer",
}
ASKS = {
    "existence": "Is there such a direction in the model, and is it what its file says?",
    "causal": "Does adding it do what it should, and more than vectors that have no right to?",
    "reliability": "Does it on every prompt, and more of it with more strength?",
    "side_effects": "What else does it change?",
    "safety": "Does it make the model help with harm?",
    "transfer": "Does it carry over to other domains, prompts and forms?",
}
SOURCES = {
    "train": "train pairs",
    "select": "select pairs",
    "test": "test pairs",
    "cross_fitted": "folds of all pairs",
    "suite": "the base model’s own texts",
}


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One line of the report; what it does not say is empty or a dash.

    Attributes:
        sample: how much stands behind it and where it comes from.
        needed: about how many pairs would decide it.
    """

    question: str
    label: str
    value: str
    interval: str
    beside: str
    verdict: str
    reason: str
    rule: str
    sample: str
    needed: str


@dataclass(frozen=True, slots=True)
class GateView:
    """One gate with its metrics; `is_open` where there is something to look into."""

    name: str
    title: str
    asks: str
    verdict: str
    reason: str
    metrics: tuple[MetricRow, ...]
    is_open: bool


def view_metrics(report: Json) -> tuple[MetricRow, ...]:
    """All of them in order, as a report of version 1 is shown."""
    return tuple(_row(metric) for metric in report.get("metrics") or [])


def view_gates(report: Json) -> tuple[GateView, ...]:
    """The gates with the metrics that decide them; none for a report of version 1."""
    return tuple(
        GateView(
            name=str(gate["name"]),
            title=_title(gate["name"]),
            asks=ASKS.get(gate["name"], ""),
            verdict=str(gate.get("verdict") or ""),
            reason=minus(str(gate.get("reason") or "")),
            metrics=_rows_of(report, gate["name"]),
            is_open=gate.get("verdict") in ("fail", "warn"),
        )
        for gate in report.get("gates") or []
    )


def informing(report: Json) -> tuple[MetricRow, ...]:
    """Those that decide nothing; none for a report of version 1, whose metrics have no gates."""
    return _rows_of(report, None) if report.get("gates") else ()


def view_headlines(report: Json) -> tuple[str, ...]:
    """What comes first; a sentence about a gate begins with its name."""
    waiting = [
        (str(gate.get("reason")), _title(gate["name"]))
        for gate in report.get("gates") or []
        if gate.get("verdict") in ("fail", "insufficient")
    ]
    lines = []
    for line in map(str, report.get("headlines") or []):
        # In order, since two gates may have the same reason.
        found = next((one for one in waiting if one[0] == line), None)
        if found:
            waiting.remove(found)
        lines.append(minus(f"{found[1]}: {line}" if found else line))
    return tuple(lines)


def judged(report: Json, metric: str) -> Json:
    """A metric of a report by its id; empty where the report has none."""
    return next((one for one in report.get("metrics") or [] if one.get("id") == metric), {})


def _title(name: str) -> str:
    return TITLES.get(name, str(name).replace("_", " ").capitalize())


def _rows_of(report: Json, gate: str | None) -> tuple[MetricRow, ...]:
    return tuple(_row(metric) for metric in report.get("metrics") or [] if metric.get("gate") == gate)


def _row(metric: Json) -> MetricRow:
    is_share = metric.get("id") in SHARES
    value, low, high = metric.get("value"), metric.get("low"), metric.get("high")
    beside, digits = metric.get("beside"), DIGITS.get(str(metric.get("id")), 2)
    return MetricRow(
        question=str(metric.get("question") or metric.get("id") or ""),
        label=minus(str(metric.get("label") or "")),
        value=percent(value) if is_share else plain(value, digits),
        interval=f"{percent(low)} to {percent(high)}"
        if is_share and low is not None
        else span(low, high, digits),
        beside=f"{beside.get('label')} {plain(beside.get('value'), digits)}" if beside else "",
        verdict=str(metric.get("verdict") or ""),
        reason=minus(str(metric.get("reason") or "")),
        rule=minus(str(metric.get("rule") or "")),
        sample=_sample(metric),
        needed=f"About {metric['needed']:,} pairs would decide it." if metric.get("needed") else "",
    )


def _sample(metric: Json) -> str:
    """`24 in 20 groups, test pairs`; empty for a metric of version 1."""
    if metric.get("n") is None:
        return ""
    source = SOURCES.get(str(metric.get("source")), str(metric.get("source")))
    n, n_groups = metric["n"], metric.get("n_groups") or 0
    return f"{n:,} in {n_groups:,} group{'' if n_groups == 1 else 's'}, {source}"
