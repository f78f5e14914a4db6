"""What asking does beside steering: numbers, and bars as SVG. Colours are classes in static/css/plots.css."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.web.curves import Curve
from registry.web.metrics import judged
from registry.web.numbers import minus, plain, signed, span
from registry.web.plots import NARROW, WIDE, Reach, Size

Json = Mapping[str, Any]
LABELS = {
    "steer": "Steering",
    "prompt": "A system prompt",
    "few_shot": "Worked examples",
    "both": "Steering with a system prompt",
}
# What the dose–response calls those that it shows.
SHORT = {"steer": "steering", "prompt": "prompt", "few_shot": "examples"}
# Heights in SVG units: of one way with its words, from its top to the bar, and of the bar.
ROW, WORDS, BAR = 44, 17, 14
# Room on either side for the end of an interval.
MARGIN = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """The effect of one way, from pole to pole, with its 95 % interval."""

    name: str
    label: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PromptingView:
    """The bars, and what they cost.

    Attributes:
        says: what the report makes of them, in words.
        is_beaten: whether asking does more than steering, by the interval of the difference.
        plots: the same figure for wide and for narrow pages.
        rows: (way, effect, interval, tokens that it adds to a prompt), for a table.
        instruction: what was put before a prompt, for the negative and the positive pole.
    """

    says: str
    is_beaten: bool
    plots: tuple[SafeString, ...]
    rows: tuple[tuple[str, str, str, str], ...]
    unit: str
    n_prompts: str
    strength: str
    instruction: tuple[str, str] | None


def view_prompting(report: Json) -> PromptingView | None:
    """What a report says of prompts; None where it does not."""
    found = (report.get("sections") or {}).get("prompting") or {}
    bars = read_bars(found.get("bars") or {})
    if not bars:
        return None
    added, asked = found.get("tokens_added") or {}, found.get("instruction") or []
    # Steering with a prompt has the prompt's tokens.
    tokens = added | {"both": added.get(found.get("beside")), "steer": 0}
    metric = judged(report, "prompting")
    return PromptingView(
        says=minus(str(metric.get("reason") or "")),
        is_beaten=metric.get("verdict") != "insufficient" and (metric.get("high") or 0.0) < 0,
        plots=tuple(draw_bars(bars, size) for size in (WIDE, NARROW)),
        rows=tuple(
            (bar.label, signed(bar.mean), span(bar.low, bar.high), _count(tokens.get(bar.name)))
            for bar in bars
        ),
        unit="log-probability" if found.get("unit") == "log_prob" else str(found.get("unit") or "score"),
        n_prompts=str(found.get("n_prompts") or ""),
        strength=plain(found.get("strength")),
        instruction=(str(asked[0]), str(asked[1])) if len(asked) == 2 else None,
    )


def read_reaches(report: Json, curve: Curve | None) -> tuple[Reach, ...]:
    """What steering and asking do from pole to pole, for the dose–response: none where the scores differ in
    kind, or steering was not measured at both ends.

    Of asking the difference alone is stored, so all are drawn about the middle of what steering does.
    """
    found = (report.get("sections") or {}).get("prompting") or {}
    at = found.get("strength")
    if curve is None or not at or found.get("unit") != curve.score:
        return ()
    low, high = curve.at(-at), curve.at(at)
    if low is None or high is None:
        return ()
    middle = (low.mean + high.mean) / 2
    return tuple(
        Reach(bar.name, SHORT[bar.name], middle - bar.mean / 2, middle + bar.mean / 2)
        for bar in read_bars(found.get("bars") or {})
        if bar.name in SHORT
    )


def read_bars(found: Json) -> list[Bar]:
    """Those that were measured, in a fixed order."""
    kept = [(name, found[name]) for name in LABELS if found.get(name)]
    return [
        Bar(name, LABELS[name], *(float(bar[key]) for key in ("mean", "low", "high")))
        for name, bar in kept
        if all(bar.get(key) is not None for key in ("mean", "low", "high"))
    ]


def draw_bars(bars: Sequence[Bar], size: Size) -> SafeString:
    """One bar below the other on one scale, each with its interval as a whisker."""
    low = min(0.0, *(bar.low for bar in bars), *(bar.mean for bar in bars))
    high = max(0.0, *(bar.high for bar in bars), *(bar.mean for bar in bars))
    scale = (size.width - 2 * MARGIN) / ((high - low) or 1.0)

    def x(value: float) -> float:
        return round(MARGIN + (value - low) * scale, 1)

    height = ROW * len(bars)
    rows = format_html_join("", "{}", ((_drawn(bar, ROW * i, x(0), x, size),) for i, bar in enumerate(bars)))
    name = f"bars-{size.name}"
    return format_html(
        '<svg class="plot bars {}" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title">'
        '<title id="{}-title">{}</title>{}<line class="zero" x1="{}" x2="{}" y1="0" y2="{}"/></svg>',
        size.name, size.width, height, name, name, _described(bars), rows, x(0), x(0), height,
    )  # fmt: skip


def _drawn(bar: Bar, top: int, zero: float, x: Any, size: Size) -> SafeString:
    left, right = sorted((zero, x(bar.mean)))
    middle = top + WORDS + BAR / 2
    return format_html(
        '<text x="{}" y="{}" class="way">{}</text><text x="{}" y="{}" text-anchor="end" class="way">{}</text>'
        '<rect class="bar {}" x="{}" y="{}" width="{}" height="{}" rx="3"/>'
        '<line class="whisker" x1="{}" x2="{}" y1="{}" y2="{}"/>',
        MARGIN, top + WORDS - 5, bar.label, size.width - MARGIN, top + WORDS - 5, signed(bar.mean),
        bar.name, left, top + WORDS, round(right - left, 1), BAR,
        x(bar.low), x(bar.high), middle, middle,
    )  # fmt: skip


def _described(bars: Sequence[Bar]) -> str:
    """The figure in one sentence, for those who do not see it."""
    told = (f"{bar.label} {signed(bar.mean)} ({span(bar.low, bar.high)})" for bar in bars)
    return "Effect from pole to pole: " + "; ".join(told) + "."


def _count(tokens: Any) -> str:
    return "" if tokens is None else f"{tokens:,.0f}"
