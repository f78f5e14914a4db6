"""What is drawn small, as SVG: the curve on a card, the slider of a preset, the track under a fader."""

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString

from registry.web.curves import Curve
from registry.web.plots import EMPTY, Frame, comparable_range, is_inside, strength_range, svg_path


def sparkline(curve: Curve | None, verdict: str) -> SafeString:
    """The curve and its window on a card, without words; empty when there is no curve."""
    if curve is None:
        return EMPTY
    frame = Frame(3, 157, 5, 43, strength_range(curve), comparable_range(curve))
    window = EMPTY
    if curve.window:
        left, right = frame.x(curve.window[0]), frame.x(curve.window[1])
        window = format_html(
            '<rect class="window" x="{}" y="1" width="{}" height="46" rx="4"/>', left, round(right - left, 1)
        )
    return format_html(
        '<svg class="spark {}" viewBox="0 0 160 48" width="160" height="48" aria-hidden="true">'
        '{}<line class="zero" x1="2" x2="158" y1="{}" y2="{}"/><path class="line" d="{}"/></svg>',
        "flat" if verdict in ("fail", "insufficient") else "moves",
        window,
        frame.y(0),
        frame.y(0),
        svg_path((frame.x(p.strength), frame.y(p.mean)) for p in curve.points),
    )


def mini_slider(low: float, high: float, strength: float) -> SafeString:
    """A slider of a preset drawn small: its range, zero where it lies inside, and where it stands."""
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(5 + (value - low) / span * 110, 1)

    start = x(min(max(0.0, low), high))
    zero = (
        format_html('<line class="zero" x1="{0}" x2="{0}" y1="1" y2="11"/>', start)
        if low < 0 < high
        else EMPTY
    )
    return format_html(
        '<svg class="mini" viewBox="0 0 120 12" width="120" height="12" aria-hidden="true">'
        '<line class="rail" x1="5" x2="115" y1="6" y2="6"/>{}'
        '<line class="{}" x1="{}" x2="{}" y1="6" y2="6"/><circle class="{}" cx="{}" cy="6" r="4"/></svg>',
        zero,
        side := "to" if strength >= 0 else "from",
        start,
        x(strength),
        side,
        x(strength),
    )


def track(strengths: Sequence[float], window: tuple[float, float] | None) -> SafeString:
    """The track under a fader with one stop per strength: solid inside the window, hatched outside."""
    count = len(strengths)
    inside = [i for i, strength in enumerate(strengths) if is_inside(strength, window)]
    solid = EMPTY
    if inside:
        start, end = inside[0] * 100 + 50, inside[-1] * 100 + 50
        solid = format_html(
            '<rect class="solid" x="{}" y="12" width="{}" height="6" fill="url(#fader-poles)"/>',
            start,
            end - start,
        )
    return format_html(
        '<svg class="track" viewBox="0 0 {} 30" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rest" x="50" y="14" width="{}" height="2"/>{}</svg>',
        count * 100,
        (count - 1) * 100,
        solid,
    )


def fader_gradient() -> SafeString:
    """The blend from one pole to the other that every fader track on a page refers to."""
    return format_html(
        '<svg class="defs" width="0" height="0" aria-hidden="true"><defs><linearGradient id="{}">'
        '<stop class="stop-neg" offset="0"/><stop class="stop-mid" offset=".5"/>'
        '<stop class="stop-pos" offset="1"/>'
        "</linearGradient></defs></svg>",
        "fader-poles",
    )
