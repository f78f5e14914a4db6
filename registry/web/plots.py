"""Curves as SVG, built from numbers and escaped words only. Colours are classes in static/css/plots.css.

What is drawn small, on cards and under sliders, is in `small_plots`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from registry.web.curves import Curve, Point
from registry.web.numbers import plain, short, signed, signed_short

EMPTY = mark_safe("")
# Rows of the plot that the curve cannot enter: the words of the poles and of the window stand there.
WORD_ROW = 24


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the values go, in SVG units: strengths from left to right, scores from bottom to top."""

    left: float
    right: float
    top: float
    bottom: float
    strengths: tuple[float, float]
    scores: tuple[float, float]

    def x(self, strength: float) -> float:
        low, high = self.strengths
        return round(self.left + (strength - low) / (high - low) * (self.right - self.left), 1)

    def y(self, score: float) -> float:
        low, high = self.scores
        return round(self.bottom - (score - low) / (high - low) * (self.bottom - self.top), 1)


@dataclass(frozen=True, slots=True)
class Size:
    """One of the two sizes in which a plot is drawn; a style sheet shows the one that fits."""

    name: str
    width: int
    height: int
    strip: int = 44


@dataclass(frozen=True, slots=True)
class Reach:
    """How far apart the two poles get by one way, on the scale of the scores, drawn beside the curve."""

    name: str
    label: str
    low: float
    high: float


WIDE = Size("wide", 720, 452)
NARROW = Size("narrow", 340, 384)
TICKS = 7
# Room for one bar that shows a reach.
REACH = 30


def nice_ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers from low to high, about as many as wanted, at steps of 1, 2 or 5 times a power of ten."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    rough = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def dose_response(
    curve: Curve, size: Size = WIDE, prefix: str = "curve", reaches: Sequence[Reach] = ()
) -> SafeString:
    """The whole figure: window, interval band, random control, curve, coherence, and both axes of strength.

    Args:
        reaches: what is drawn as bars at the right, such as what a prompt does.
        prefix: makes the ids of this figure different from those of another on the same page.
    """
    name = f"{prefix}-{size.name}"
    frame = _frame(curve, size, reaches)
    strip = Frame(
        frame.left, frame.right, frame.bottom + WORD_ROW + 16, size.height - 50, frame.strengths, (0.0, 1.0)
    )
    return format_html(
        '<svg class="plot {}" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title" '
        'aria-describedby="{}-desc"><title id="{}-title">{}</title>'
        '<desc id="{}-desc">{}</desc>{}{}{}{}{}{}{}{}{}</svg>',
        size.name,
        size.width,
        size.height,
        name,
        name,
        name,
        f"{curve.score} score by strength".capitalize(),
        name,
        describe(curve, reaches),
        _gradient(name, frame),
        _window(curve, frame, strip),
        _score_axis(curve, frame),
        _strength_axis(curve, frame, strip),
        _control(curve, frame),
        _band(curve.points, frame, name),
        _line(curve, frame, name),
        _coherence(curve.points, strip),
        _reaches(reaches, frame),
    )


def describe(curve: Curve, reaches: Sequence[Reach] = ()) -> str:
    """The figure in one sentence, for those who do not see it."""
    first, last = curve.points[0], curve.points[-1]
    words = [
        f"The {curve.score} score goes from {plain(first.mean)} at strength {signed_short(first.strength)} "
        f"to {plain(last.mean)} at {signed_short(last.strength)}"
    ]
    if curve.controls:
        low, high = min(c.low for c in curve.controls), max(c.high for c in curve.controls)
        words.append(f"{curve.n_controls} random vectors stay between {plain(low)} and {plain(high)}")
    if curve.window:
        words.append(
            f"the text stays whole from {signed_short(curve.window[0])} to {signed_short(curve.window[1])}"
        )
    words += [f"from pole to pole {one.label} does {plain(one.high - one.low)}" for one in reaches]
    return "; ".join(words) + "."


def _frame(curve: Curve, size: Size, reaches: Sequence[Reach]) -> Frame:
    low, high = _score_range(curve, reaches)
    return Frame(
        left=58,
        right=size.width - 14 - REACH * len(reaches),
        top=52 + WORD_ROW,
        bottom=size.height - 50 - size.strip - 16 - WORD_ROW,
        strengths=strength_range(curve),
        scores=(low, high),
    )


def strength_range(curve: Curve) -> tuple[float, float]:
    """From the lowest to the highest strength, and a little beyond."""
    low, high = curve.points[0].strength, curve.points[-1].strength
    margin = 0.03 * (high - low) or 0.1
    return low - margin, high + margin


def _score_range(curve: Curve, reaches: Sequence[Reach] = ()) -> tuple[float, float]:
    values = [0.0, *(end for one in reaches for end in (one.low, one.high))]
    for point in curve.points:
        values += [v for v in (point.mean, point.low, point.high) if v is not None]
    for control in curve.controls:
        values += [control.low, control.high]
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def comparable_range(curve: Curve) -> tuple[float, float]:
    """Exact scores go from -1 to 1; drawn over all of it, a vector that does nothing looks flat."""
    low, high = _score_range(curve)
    has_exact_score = bool(curve.positive_pole)
    return (min(low, -1.0), max(high, 1.0)) if has_exact_score else (low, high)


def _gradient(name: str, frame: Frame) -> SafeString:
    return format_html(
        '<defs><linearGradient id="{}-poles" gradientUnits="userSpaceOnUse" x1="{}" x2="{}" y1="0" y2="0">'
        '<stop class="stop-neg" offset=".1"/><stop class="stop-mid" offset=".5"/>'
        '<stop class="stop-pos" offset=".9"/>'
        "</linearGradient></defs>",
        name,
        frame.left,
        frame.right,
    )


def _window(curve: Curve, frame: Frame, strip: Frame) -> SafeString:
    if not curve.window:
        return EMPTY
    left, right = frame.x(curve.window[0]), frame.x(curve.window[1])
    top = frame.top - WORD_ROW
    return format_html(
        '<rect class="window" x="{}" y="{}" width="{}" height="{}" rx="6"/>'
        '<text class="window-word" x="{}" y="{}" text-anchor="middle">usable window</text>',
        left,
        top,
        round(right - left, 1),
        round(strip.bottom - top, 1),
        round(min(max((left + right) / 2, frame.left + 110), frame.right - 45), 1),
        top + 17,
    )


def _score_axis(curve: Curve, frame: Frame) -> SafeString:
    lines = format_html_join(
        "",
        '<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>',
        (
            (
                "grid" if value else "zero",
                frame.left,
                frame.right,
                frame.y(value),
                frame.y(value),
                frame.left - 8,
                frame.y(value) + 4,
                signed_short(value),
            )
            for value in nice_ticks(*frame.scores, TICKS - 1)
        ),
    )
    middle = (frame.top + frame.bottom) / 2
    lines += format_html(
        '<text class="axis-word" x="14" y="{0}" text-anchor="middle" transform="rotate(-90 14 {0})">'
        "{1} score</text>",
        middle,
        curve.score[:28],
    )
    words = (
        (curve.positive_pole, "to", frame.top - WORD_ROW + 17, "↑"),
        (curve.negative_pole, "from", frame.bottom + WORD_ROW - 7, "↓"),
    )
    poles = format_html_join(
        "",
        '<text class="pole {}" x="{}" y="{}">{} {}</text>',
        ((side, frame.left + 6, y, arrow, word[:24]) for word, side, y, arrow in words if word),
    )
    return lines + poles


def _strength_axis(curve: Curve, frame: Frame, strip: Frame) -> SafeString:
    below = strip.bottom + 18
    bottom = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((frame.x(v), below, signed_short(v)) for v in nice_ticks(*frame.strengths, TICKS)),
    )
    middle = (frame.left + frame.right) / 2
    titles = format_html(
        '<line class="axis" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
        '<line class="zero" x1="{3}" x2="{3}" y1="{4}" y2="{2}"/>'
        '<text class="axis-word" x="{5}" y="{6}" text-anchor="middle">'
        "strength, as a share of the residual norm</text>",
        frame.left,
        frame.right,
        strip.bottom,
        frame.x(0),
        frame.top - WORD_ROW,
        middle,
        below + 22,
    )
    return titles + bottom + _multiplier_axis(curve, frame)


def _multiplier_axis(curve: Curve, frame: Frame) -> SafeString:
    """The second axis: the same strengths as multiples of the natural shift, the raw mean difference."""
    unit = curve.per_multiplier
    if unit is None:
        return EMPTY
    y = frame.top - WORD_ROW
    low, high = (s / unit for s in frame.strengths)
    ticks = format_html_join(
        "",
        '<line class="axis" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
        '<text x="{0}" y="{3}" text-anchor="middle">{4}</text>',
        ((frame.x(v * unit), y - 4, y, y - 9, f"{short(v)}×") for v in nice_ticks(low, high, TICKS)),
    )
    word = "multiplier; 1× is the natural shift"
    return ticks + format_html(
        '<line class="axis" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
        '<text class="axis-word" x="{3}" y="{4}" text-anchor="middle">{5}</text>',
        frame.left,
        frame.right,
        y,
        (frame.left + frame.right) / 2,
        y - 32,
        word,
    )


def _control(curve: Curve, frame: Frame) -> SafeString:
    """Random vectors were tried at two strengths; without any, nothing is added and all of them agree."""
    if not curve.controls:
        return EMPTY
    unsteered = curve.at(0.0)
    spread = [(frame.x(c.strength), frame.y(c.low), frame.y(c.high)) for c in curve.controls]
    if unsteered is not None:
        spread = sorted([*spread, (frame.x(0), frame.y(unsteered.mean), frame.y(unsteered.mean))])
    outline = [(x, high) for x, _, high in spread] + [(x, low) for x, low, _ in reversed(spread)]
    bars = format_html_join(
        "",
        '<line class="control-bar" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
        '<circle class="control-dot" cx="{0}" cy="{3}" r="2.6"/>',
        ((frame.x(c.strength), frame.y(c.low), frame.y(c.high), frame.y(c.median)) for c in curve.controls),
    )
    return format_html('<path class="control" d="{}Z"/>{}', svg_path(outline), bars)


def _band(points: Iterable[Point], frame: Frame, name: str) -> SafeString:
    kept = [(p.strength, p.low, p.high) for p in points if p.low is not None and p.high is not None]
    if len(kept) < 2:
        return EMPTY
    outline = [(frame.x(s), frame.y(high)) for s, _, high in kept]
    outline += [(frame.x(s), frame.y(low)) for s, low, _ in reversed(kept)]
    return format_html('<path class="band" fill="url(#{}-poles)" d="{}Z"/>', name, svg_path(outline))


def _line(curve: Curve, frame: Frame, name: str) -> SafeString:
    dots = format_html_join(
        "",
        '<circle class="dot {} {}" cx="{}" cy="{}" r="4"><title>{}</title></circle>',
        (
            (
                "to" if p.strength > 0 else "from" if p.strength < 0 else "none",
                "inside" if is_inside(p.strength, curve.window) else "outside",
                frame.x(p.strength),
                frame.y(p.mean),
                f"strength {signed(p.strength)}: {plain(p.mean)}",
            )
            for p in curve.points
        ),
    )
    path = svg_path((frame.x(p.strength), frame.y(p.mean)) for p in curve.points)
    return format_html('<path class="line" stroke="url(#{}-poles)" d="{}"/>{}', name, path, dots)


def _coherence(points: Iterable[Point], strip: Frame) -> SafeString:
    kept = [(p.strength, min(max(p.coherence, 0.0), 1.0)) for p in points if p.coherence is not None]
    if len(kept) < 2:
        return EMPTY
    line = [(strip.x(s), strip.y(c)) for s, c in kept]
    area = [(line[0][0], strip.bottom), *line, (line[-1][0], strip.bottom)]
    return format_html(
        '<path class="coherence-area" d="{}Z"/><path class="coherence" d="{}"/>'
        '<text x="{}" y="{}" text-anchor="end">1</text><text x="{}" y="{}" text-anchor="end">0</text>',
        svg_path(area),
        svg_path(line),
        strip.left - 8,
        strip.top + 4,
        strip.left - 8,
        strip.bottom + 4,
    )


def _reaches(reaches: Sequence[Reach], frame: Frame) -> SafeString:
    """One upright bar per way of getting from pole to pole, its name beside it."""
    return format_html_join(
        "",
        '<g class="reach {0}"><line x1="{1}" x2="{1}" y1="{2}" y2="{3}"/>'
        '<line x1="{4}" x2="{5}" y1="{2}" y2="{2}"/><line x1="{4}" x2="{5}" y1="{3}" y2="{3}"/>'
        '<text x="{6}" y="{7}" text-anchor="middle" transform="rotate(-90 {6} {7})">{8}</text></g>',
        (
            (
                one.name,
                x,
                frame.y(one.low),
                frame.y(one.high),
                x - 5,
                x + 5,
                x + 15,
                round((frame.y(one.low) + frame.y(one.high)) / 2, 1),
                f"{one.label} {plain(one.high - one.low)}",
            )
            for x, one in ((frame.right + 16 + REACH * i, one) for i, one in enumerate(reaches))
        ),
    )


def is_inside(strength: float, window: tuple[float, float] | None) -> bool:
    """Whether a strength lies in the window, its ends included."""
    return window is not None and window[0] - 1e-9 <= strength <= window[1] + 1e-9


def svg_path(places: Iterable[tuple[float, float]]) -> str:
    """The line through these places."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
