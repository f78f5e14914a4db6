"""Values with their intervals, one below the other on one scale, as SVG: side effects, safety, transfer.

Colours are classes in static/css/vectors.css.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.web.numbers import plain, short, signed, span
from registry.web.plots import NARROW, WIDE, Size, nice_ticks

# Heights in SVG units: of a row with its words above the line, of the axis below all; room on either side.
ROW, AXIS, MARGIN = 38, 42, 12
TICKS = {"wide": 8, "narrow": 4}


@dataclass(frozen=True, slots=True)
class Row:
    """One value; low and high are None where it has no interval. `name` is a class of the style sheet."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    name: str = ""

    @property
    def shown(self) -> str:
        """The value as a table has it."""
        return signed(self.value)

    @property
    def interval(self) -> str:
        """The interval as a table has it."""
        return span(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Forest:
    """The figure, wide and narrow, and the rows for the table behind it."""

    plots: tuple[SafeString, ...]
    rows: tuple[Row, ...]
    unit: str


def forest(
    name: str, title: str, unit: str, rows: Sequence[Row], marks: Sequence[float] = ()
) -> Forest | None:
    """Rows on one scale that has 0 on it; None without rows.

    Args:
        name: makes the ids of this figure its own.
        unit: what the numbers of the axis are.
        marks: limits, drawn as dashed lines.
    """
    if not rows:
        return None
    plots = tuple(_draw(f"{name}-{size.name}", title, unit, rows, marks, size) for size in (WIDE, NARROW))
    return Forest(plots, tuple(rows), unit)


def _draw(
    name: str, title: str, unit: str, rows: Sequence[Row], marks: Sequence[float], size: Size
) -> SafeString:
    ends = [0.0, *marks, *(end for row in rows for end in (row.value, row.low, row.high) if end is not None)]
    low, high = min(ends), max(ends)
    pad = 0.05 * (high - low) or 0.5
    low, high = low - pad, high + pad
    scale = (size.width - 2 * MARGIN) / (high - low)

    def x(value: float) -> float:
        return round(MARGIN + (value - low) * scale, 1)

    bottom = ROW * len(rows) + 6
    lines = format_html_join(
        "",
        '<line class="{0}" x1="{1}" x2="{1}" y1="0" y2="{2}"/>',
        [("zero", x(0), bottom), *(("limit", x(mark), bottom) for mark in marks)],
    )
    ticks = format_html_join(
        "",
        '<text x="{0}" y="{1}" text-anchor="middle">{2}</text>',
        ((x(tick), bottom + 16, short(tick)) for tick in nice_ticks(low, high, TICKS[size.name])),
    )
    return format_html(
        '<svg class="plot forest {0}" viewBox="0 0 {1} {2}" role="img" aria-labelledby="{3}-title" '
        'aria-describedby="{3}-desc"><title id="{3}-title">{4}</title><desc id="{3}-desc">{5}</desc>{6}{7}'
        '<line class="axis" x1="0" x2="{1}" y1="{8}" y2="{8}"/>{9}'
        '<text class="axis-word" x="{10}" y="{11}" text-anchor="middle">{12}</text></svg>',
        size.name, size.width, bottom + AXIS, name, title, _described(rows), lines,
        format_html_join("", "{}", ((_row(row, ROW * i, x, size),) for i, row in enumerate(rows))),
        bottom, ticks, size.width / 2, bottom + 36, unit,
    )  # fmt: skip


def _row(row: Row, top: int, x: Any, size: Size) -> SafeString:
    middle = top + 27
    whisker: SafeString | str = ""
    if row.low is not None and row.high is not None:
        whisker = format_html(
            '<line class="whisker" x1="{}" x2="{}" y1="{}" y2="{}"/>', x(row.low), x(row.high), middle, middle
        )
    return format_html(
        '<g class="{}"><text x="{}" y="{}" class="way">{}</text>'
        '<text x="{}" y="{}" text-anchor="end" class="way">{}</text>{}'
        '<circle cx="{}" cy="{}" r="5"/></g>',
        row.name, MARGIN, top + 14, row.label[: 90 if size is WIDE else 38], size.width - MARGIN, top + 14,
        signed(row.value), whisker, x(row.value), middle,
    )  # fmt: skip


def _described(rows: Sequence[Row]) -> str:
    """The figure in one sentence, for those who do not see it."""
    return "; ".join(
        f"{row.label} {plain(row.value)}" + (f" ({row.interval})" if row.low is not None else "")
        for row in rows
    )
