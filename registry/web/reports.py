"""A report as a page shows it: each number formatted, each missing part empty or None. No queries here.

Gates and metrics are in `metrics`, what prompts do in `prompting`; a report of version 1 has no gates and no
prompts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from registry.web.curves import Curve, Point, read_curve
from registry.web.faders import Fader, view_faders
from registry.web.manifests import measured_doses
from registry.web.metrics import GateView, MetricRow, informing, view_gates, view_headlines, view_metrics
from registry.web.numbers import DASH, minus, plain, short, signed, span
from registry.web.plots import NARROW, WIDE, Reach, dose_response
from registry.web.prompting import PromptingView, read_reaches, view_prompting

Json = Mapping[str, Any]
DEFAULT_STRENGTH = 0.3
# More places than this fill a page with a table that few read.
MAX_BLOCK_ROWS = 12


@dataclass(frozen=True, slots=True)
class PointRow:
    """One line of the table below the curve."""

    strength: str
    multiplier: str
    nats: str
    mean: str
    interval: str
    coherence: str
    in_window: bool


@dataclass(frozen=True, slots=True)
class BlockRow:
    """One line of the table of blocks."""

    block: int
    pooling: str
    auroc: str
    consistency: str
    ratio: str
    dose: str
    effect: str
    is_chosen: bool
    is_tried: bool
    auroc_value: float


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How far the direction can be trusted; parts that were not measured are a dash or empty.

    Attributes:
        influential: (row of the dataset, degrees), the pairs without which the direction turns most.
    """

    reliability: str
    consistency: str
    sign_flip_p: str
    robust_cosine: str
    influential: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything a page shows of a report."""

    verdict: str
    grade: str
    tier: str
    summary: str
    headlines: tuple[str, ...]
    gates: tuple[GateView, ...]
    poles: tuple[str, str] | None
    curve: Curve | None
    plots: tuple[SafeString, ...]
    reaches: tuple[Reach, ...]
    points: tuple[PointRow, ...]
    has_doses: bool
    metrics: tuple[MetricRow, ...]
    informing: tuple[MetricRow, ...]
    prompting: PromptingView | None
    blocks: tuple[BlockRow, ...]
    more_blocks: tuple[BlockRow, ...]
    steadiness: Steadiness | None
    pairs_needed: str
    boundary: str
    faders: tuple[Fader, ...]
    has_blind: bool
    place: str
    block: str
    method: str
    pooling: str
    counts: Json
    scale: Json
    n_prompts: str
    window: str
    strongest: str
    default_strength: str
    start: str
    start_nats: str
    natural_strength: str
    seeds: tuple[tuple[str, str], ...]
    software: tuple[tuple[str, str], ...]
    duration: str
    cost: str
    suite: str


def view_report(report: Json | None, manifest: Json | None = None) -> ReportView | None:
    """The report of a version, or None while there is none; the manifest has the doses of its strengths."""
    if not report:
        return None
    curve = read_curve(report)
    selection, scale = report.get("selection") or {}, report.get("scale") or {}
    recommended = selection.get("strength")
    strength = default_strength(curve, recommended)
    doses = measured_doses(manifest)
    blocks, more_blocks = _shown(_block_rows(selection))
    counts = report.get("counts") or {}
    reaches = read_reaches(report, curve)
    return ReportView(
        verdict=str(report.get("verdict") or ""),
        grade=str(report.get("grade") or ""),
        tier=str(report.get("tier") or ""),
        summary=minus(str(report.get("summary") or "")),
        headlines=view_headlines(report),
        gates=view_gates(report),
        poles=read_poles(report),
        curve=curve,
        plots=tuple(dose_response(curve, size, reaches=reaches) for size in (WIDE, NARROW)) if curve else (),
        reaches=reaches,
        points=tuple(_point_row(point, curve, doses) for point in curve.points) if curve else (),
        has_doses=bool(doses),
        metrics=view_metrics(report),
        informing=informing(report),
        prompting=view_prompting(report),
        blocks=blocks,
        more_blocks=more_blocks,
        steadiness=_steadiness(report.get("stability")),
        pairs_needed=needed_words(counts),
        boundary=boundary_words(counts),
        faders=view_faders(report, curve, strength),
        has_blind=bool(((report.get("sections") or {}).get("blind") or {}).get("items")),
        place=f"{selection.get('site')}.{selection.get('block')}" if selection else DASH,
        block=str(selection.get("block", DASH)),
        method=_words(selection.get("method")),
        pooling=_words(selection.get("pooling")),
        counts=counts,
        scale={name: plain(value, 3) for name, value in scale.items()},
        n_prompts=str((report.get("dose_response") or {}).get("n_prompts") or ""),
        window=window_words(curve),
        strongest=strongest_words(curve),
        default_strength=short(strength).replace("−", "-"),
        start="" if recommended is None else signed(strength),
        start_nats=plain(doses[round(strength, 6)]) if round(strength, 6) in doses else "",
        natural_strength=short(round(curve.per_multiplier, 3)) if curve and curve.per_multiplier else "",
        seeds=_items(report.get("seeds")),
        software=_items(report.get("software")),
        duration=f"{report['duration_seconds']:.0f} s" if report.get("duration_seconds") else DASH,
        cost=cost_words(report.get("cost")),
        suite=str((report.get("suite") or {}).get("digest") or ""),
    )


def read_poles(report: Json | None) -> tuple[str, str] | None:
    """(negative, positive) words for the two ends, when the report's scorer has names for them."""
    trait = (report or {}).get("trait") or {}
    negative, positive = trait.get("negative_pole"), trait.get("positive_pole")
    return (str(negative), str(positive)) if negative and positive else None


def window_words(curve: Curve | None) -> str:
    """`−0.2 to +0.3`, or empty without a window."""
    if curve is None or curve.window is None:
        return ""
    low, high = curve.window
    return f"{signed(low)} to {signed(high)}"


def default_strength(curve: Curve | None, recommended: float | None = None) -> float:
    """The strength to try first: the recommended one, else 0.3; at most the upper end of the window."""
    wanted = DEFAULT_STRENGTH if recommended is None else recommended
    if curve is None or curve.window is None or curve.window[1] <= 0:
        return wanted
    return min(wanted, curve.window[1])


def needed_words(counts: Json) -> str:
    """How many pairs the trait takes; empty where the report does not say."""
    if "train_needed" not in counts:
        return ""
    needed = counts["train_needed"]
    if needed is None:
        return (
            "The first train pairs have no direction in common, so no number of them is known to be enough."
        )
    pairs = "pair gives" if needed == 1 else "pairs give"
    return f"About {needed:,} train {pairs} a cosine of 0.95; {counts.get('train', 0):,} were used."


def boundary_words(counts: Json) -> str:
    """Where tokens run from the prompt into the answer; empty where they do not."""
    moved = counts.get("boundary_moved")
    if not moved:
        return ""
    checked = counts.get("boundary_checked") or moved
    return (
        f"In {moved:,} of {checked:,} answers a token runs across the place where the answer begins, so the "
        "model was shown other tokens than it would write itself."
    )


def cost_words(cost: Json | None) -> str:
    """What the measuring took; empty where the report does not say."""
    if not cost:
        return ""
    return (
        f"{cost.get('forward_rows', 0):,} texts and {cost.get('reply_tokens', 0):,} tokens of replies, "
        f"{cost.get('tokens', 0):,} tokens through the model in all, {cost.get('seconds', 0):,.0f} s"
    )


def strongest_words(curve: Curve | None) -> str:
    """Where inside the window the score is highest, with the multiplier that this is."""
    if curve is None or curve.window is None:
        return ""
    low, high = curve.window
    inside = [point for point in curve.points if low <= point.strength <= high]
    best = max(inside, key=lambda point: point.mean, default=None)
    if best is None or best.strength == 0:
        return ""
    natural = f", {plain(best.multiplier, 1)} × the natural shift" if best.multiplier else ""
    return f"{signed(best.strength)}{natural}"


def _point_row(point: Point, curve: Curve, doses: Mapping[float, float]) -> PointRow:
    window = curve.window
    return PointRow(
        strength=signed(point.strength),
        multiplier=signed(point.multiplier, 1),
        nats=plain(doses.get(round(point.strength, 6))),
        mean=plain(point.mean),
        interval=span(point.low, point.high),
        coherence=plain(point.coherence),
        in_window=window is not None and window[0] <= point.strength <= window[1],
    )


def _block_rows(selection: Json) -> tuple[BlockRow, ...]:
    return tuple(
        BlockRow(
            block=int(row["block"]),
            pooling=_words(row.get("pooling") or selection.get("pooling")),
            auroc=plain(row.get("auroc")),
            consistency=plain(row.get("consistency")),
            ratio=plain(row.get("ratio"), 3),
            dose=plain(row.get("dose")),
            effect=plain(row.get("effect")),
            is_chosen=row.get("block") == selection.get("block")
            and row.get("pooling", selection.get("pooling")) == selection.get("pooling"),
            is_tried=row.get("effect") is not None,
            auroc_value=row.get("auroc") or 0.0,
        )
        for row in selection.get("blocks") or []
    )


def _shown(rows: tuple[BlockRow, ...]) -> tuple[tuple[BlockRow, ...], tuple[BlockRow, ...]]:
    """The rows to show at once and those to fold away, each in the order of the report.

    Where there are many, those that were tried come first; where none was, the best by AUROC.
    """
    if len(rows) <= MAX_BLOCK_ROWS:
        return rows, ()
    ranked = sorted(rows, key=lambda row: (not row.is_chosen, not row.is_tried, -row.auroc_value))
    n_tried = sum(row.is_tried or row.is_chosen for row in rows)
    first = ranked[: n_tried if n_tried > 1 else MAX_BLOCK_ROWS]
    return tuple(row for row in rows if row in first), tuple(row for row in rows if row not in first)


def _steadiness(stability: Json | None) -> Steadiness | None:
    if not stability:
        return None
    return Steadiness(
        reliability=plain(stability.get("reliability"), 3),
        consistency=plain(stability.get("consistency")),
        sign_flip_p=plain(stability.get("sign_flip_p"), 3),
        robust_cosine=plain(stability.get("robust_cosine"), 3),
        influential=tuple(
            (int(pair["row"]), plain(pair.get("degrees"), 1)) for pair in stability.get("influential") or []
        ),
    )


def _words(name: Any) -> str:
    return str(name or DASH).replace("_", " ")


def _items(found: Json | None) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in (found or {}).items())
