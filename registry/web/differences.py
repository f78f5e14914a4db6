"""Two versions beside each other as a page shows them. `catalog.comparing` finds what differs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.catalog.comparing import Change, Diff, MetricChange
from registry.web.metrics import TITLES
from registry.web.numbers import DASH, minus, plain, span

Json = Mapping[str, Any]
FIELDS = {
    "vector": "Vector",
    "version": "Version",
    "digest": "File",
    "base_model": "Base model",
    "model_hash": "Model hash",
    "dataset": "Data set",
    "operation": "Operation",
    "sign": "Sign",
    "window": "Window",
    "verdict": "Verdict",
    "grade": "Grade",
    "license": "Licence",
    "tier": "Tier",
}
APART, SAME, UNKNOWN = "apart", "overlap", "unknown"


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A field that is not the same in both; a digest is long and is shown so."""

    label: str
    before: str
    after: str
    is_long: bool


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """What became of one direction."""

    place: str
    cosine: str
    norms: str
    ratio: str


@dataclass(frozen=True, slots=True)
class MetricDiffRow:
    """A metric of both reports; `kind` is `apart`, `overlap`, or `unknown` where one has no interval."""

    label: str
    before: str
    before_interval: str
    before_verdict: str
    after: str
    after_interval: str
    after_verdict: str
    kind: str


@dataclass(frozen=True, slots=True)
class MetricGroup:
    """The metrics of one gate."""

    title: str
    rows: tuple[MetricDiffRow, ...]


@dataclass(frozen=True, slots=True)
class DiffView:
    """Everything the page shows of a comparison.

    Attributes:
        summary: in a few sentences.
    """

    summary: tuple[str, ...]
    facts: tuple[ChangeRow, ...]
    spec: tuple[ChangeRow, ...]
    places: tuple[PlaceRow, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    places_missing: str
    metrics: tuple[MetricGroup, ...]


def view_diff(found: Diff) -> DiffView:
    """A comparison in words and rows."""
    rows = [(metric.gate, _metric(metric)) for metric in found.metrics]
    gates = dict.fromkeys(gate for gate, _ in rows)
    places = tuple(
        PlaceRow(
            at.place,
            plain(at.cosine, 4),
            f"{plain(at.norm_before)} to {plain(at.norm_after)}",
            plain(at.strength_ratio),
        )
        for at in found.directions
    )
    return DiffView(
        summary=_summary(found, [row for _, row in rows]),
        facts=tuple(_change(change) for change in found.facts),
        spec=tuple(_change(change) for change in found.spec),
        places=places,
        only_before=tuple(found.places["before"]),
        only_after=tuple(found.places["after"]),
        places_missing=found.directions_missing,
        metrics=tuple(
            MetricGroup(
                TITLES.get(gate, "For your information"), tuple(row for own, row in rows if own == gate)
            )
            for gate in gates
        ),
    )


def _summary(found: Diff, rows: list[MetricDiffRow]) -> tuple[str, ...]:
    apart = sum(row.kind == APART for row in rows)
    overlap = sum(row.kind == SAME for row in rows)
    lines = []
    if rows:
        lines.append(
            f"{apart} of {apart + overlap} metrics with an interval in both reports "
            f"{'differs' if apart == 1 else 'differ'} by more than the intervals; the others may be chance."
        )
    if len(found.directions) == 1:
        cosine = found.directions[0].cosine
        lines.append(f"The direction turned: its cosine with the former one is {plain(cosine, 3)}.")
    if {change.field for change in found.facts} & {"dataset"}:
        lines.append("The pairs are others, so the numbers were measured on other texts.")
    if not found.spec:
        lines.append("The runs were asked to do the same.")
    return tuple(lines)


def _change(change: Change) -> ChangeRow:
    label = FIELDS.get(change.field, change.field.replace("_", " ").capitalize())
    before, after = _words(change.before), _words(change.after)
    return ChangeRow(label, before, after, len(before) > 40 or len(after) > 40)


def _words(value: Any) -> str:
    """A value of a spec or manifest as text."""
    if value is None or value == "":
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_words(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_words(one) for one in value)
    return minus(f"{value:g}" if isinstance(value, float) else str(value))


def _metric(change: MetricChange) -> MetricDiffRow:
    before, after = change.before or {}, change.after or {}
    kind = UNKNOWN if change.differs is None else APART if change.differs else SAME
    return MetricDiffRow(
        label=minus(change.label),
        before=plain(before.get("value")),
        before_interval=span(before.get("low"), before.get("high")),
        before_verdict=str(before.get("verdict") or ""),
        after=plain(after.get("value")),
        after_interval=span(after.get("low"), after.get("high")),
        after_verdict=str(after.get("verdict") or ""),
        kind=kind,
    )
