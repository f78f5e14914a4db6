"""The dose–response as text: one row per strength, with its mean and interval on a line."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

Json = dict[str, Any]
CELLS = 33


def dose_response_table(curve: Json, trait: Json | None = None) -> Table:
    """Score by strength, with the random vectors of equal norm beside it."""
    low, high = _range(curve, bounded=bool((trait or {}).get("positive_pole")))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("strength", f"mean {curve['score']}", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(_axis(low, high, trait), no_wrap=True)
    table.add_column("coherent", justify="right", no_wrap=True)
    for point in sorted(curve["points"], key=lambda p: float(p["strength"])):
        table.add_row(*_point_row(point, low, high))
    for point in (curve.get("control") or {}).get("points", []):
        table.add_row(*_control_row(point, low, high), style="dim")
    return table


def dose_response_notes(curve: Json) -> list[str]:
    """What the plot shows, in words: the effect beside the largest of the random ones, and the window."""
    control = curve.get("control") or {}
    effects = [abs(float(e)) for e in control.get("effects") or []]
    effect, strength = curve["effect"], control.get("strength", 0.3)
    notes = [
        f"effect from {-strength:+g} to {strength:+g}: {signed(effect['value'])} "
        f"({signed(effect['low'])} to {signed(effect['high'])})"
    ]
    if effects:
        notes[0] += f"; the largest of {len(effects)} random vectors of equal norm: {max(effects):.2f}"
    window = curve.get("window")
    notes.append(
        f"usable window: {window[0]:+g} to {window[1]:+g}" if window else "usable window: none was found"
    )
    return notes


def line(low: float, high: float, start: float | None, middle: float, end: float | None) -> str:
    """`···├──●──┤···`: an interval and its middle between low and high, CELLS characters wide."""
    cells = ["·"] * CELLS
    if low < 0 < high:
        cells[_cell(0.0, low, high)] = "¦"
    if start is not None and end is not None:
        first, last = _cell(start, low, high), _cell(end, low, high)
        cells[first : last + 1] = ["─"] * (last - first + 1)
        cells[first], cells[last] = "├", "┤"
    cells[_cell(middle, low, high)] = "●"
    return "".join(cells)


def number(value: float | None) -> str:
    """Two decimals, or a dash for what was not measured."""
    return "–" if value is None else f"{value:.2f}"


def signed(value: float | None) -> str:
    """As `number`, with the sign."""
    return "–" if value is None else f"{value:+.2f}"


def _point_row(point: Json, low: float, high: float) -> Sequence[str]:
    mean, start, end = float(point["mean"]), point.get("low"), point.get("high")
    return (
        f"{point['strength']:+.2f}",
        signed(mean),
        f"{signed(start)} to {signed(end)}",
        line(low, high, start, mean, end),
        number(point.get("coherence")),
    )


def _control_row(point: Json, low: float, high: float) -> Sequence[str]:
    return (
        f"random {point['strength']:+.2f}",
        signed(point["median"]),
        f"{signed(point['low'])} to {signed(point['high'])}",
        line(low, high, point["low"], float(point["median"]), point["high"]),
        "",
    )


def _range(curve: Json, *, bounded: bool) -> tuple[float, float]:
    """-1 to 1 for scores between two poles, else what is there."""
    points = [*curve["points"], *(curve.get("control") or {}).get("points", [])]
    values = [float(p[k]) for p in points for k in ("mean", "low", "high", "median") if p.get(k) is not None]
    lowest, highest = min(values, default=0.0), max(values, default=0.0)
    if bounded and lowest >= -1.0 and highest <= 1.0:
        return -1.0, 1.0
    return lowest, max(highest, lowest + 1e-9)


def _axis(low: float, high: float, trait: Json | None) -> Text:
    """The two ends of the line, with the poles' names where they are known and short."""
    left, right = f"{low:.3g}", f"{high:.3g}"
    poles = (trait or {}).get("negative_pole"), (trait or {}).get("positive_pole")
    if all(poles) and len(f"{left} {poles[0]}  {poles[1]} {right}") <= CELLS:
        left, right = f"{left} {poles[0]}", f"{poles[1]} {right}"
    return Text(left + right.rjust(CELLS - len(left)))


def _cell(value: float, low: float, high: float) -> int:
    share = (min(max(value, low), high) - low) / (high - low)
    return round(share * (CELLS - 1))
