"""Blocks and what was measured at each, as a map in SVG; the table behind it is `reports.BlockRow`.

A report stores one value per block, reading and metric, so these are the axes. Colours are classes in
static/css/vectors.css; how strong one is stands in `fill-opacity`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.web.numbers import plain
from registry.web.plots import NARROW, WIDE, Size

Json = Mapping[str, Any]
# Key of the report, words, and the value at which a cell is empty; it is full at the largest measured one.
METRICS = (
    ("auroc", "AUROC", 0.5),
    ("consistency", "Agreement", 0.0),
    ("ratio", "Shift ratio", 0.0),
    ("effect", "Effect", 0.0),
)
LABELS = {"wide": 104, "narrow": 76}
ROW, GAP, HEAD, FOOT = 30, 3, 22, 40
# More blocks than this leave no room for a number in a cell.
MOST_NUMBERED = {"wide": 13, "narrow": 6}
MOST_TITLED = 40
# From here on a light number reads better on the colour than a dark one.
FULL = 0.78


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, and how full its colour is, from 0 to 1; None where it was not measured."""

    block: int
    value: float | None
    share: float
    is_chosen: bool


def heat_map(selection: Json) -> tuple[SafeString, ...]:
    """The map, wide and narrow; empty without block scores."""
    rows = list(selection.get("blocks") or [])
    if not rows:
        return ()
    poolings = list(dict.fromkeys(row.get("pooling") or selection.get("pooling") for row in rows))
    groups = [(str(pooling or ""), _grid(rows, pooling, selection)) for pooling in poolings]
    return tuple(_draw(groups, selection, size) for size in (WIDE, NARROW))


def _grid(rows: Sequence[Json], pooling: Any, selection: Json) -> list[tuple[str, list[Cell]]]:
    """Metric by metric the cells of one reading; a metric that nobody measured is left out."""
    mine = [row for row in rows if (row.get("pooling") or selection.get("pooling")) == pooling]
    found = []
    for key, label, empty in METRICS:
        # Full is the same for every reading, so that they can be compared.
        full = max((row[key] for row in rows if row.get(key) is not None), default=None)
        if full is None or all(row.get(key) is None for row in mine):
            continue
        span = (full - empty) or 1.0
        found.append((label, [_cell(row, row.get(key), empty, span, pooling, selection) for row in mine]))
    return found


def _cell(row: Json, value: float | None, empty: float, span: float, pooling: Any, selection: Json) -> Cell:
    share = 0.0 if value is None else min(max((value - empty) / span, 0.0), 1.0)
    is_chosen = row.get("block") == selection.get("block") and pooling == selection.get("pooling")
    return Cell(int(row["block"]), value, share, is_chosen)


def _draw(groups: list[tuple[str, list[tuple[str, list[Cell]]]]], selection: Json, size: Size) -> SafeString:
    blocks = sorted({cell.block for _, grid in groups for _, cells in grid for cell in cells})
    left = LABELS[size.name]
    width = (size.width - left) / len(blocks)
    parts, top = [], 0
    for pooling, grid in groups:
        parts.append(_heading(pooling, top))
        top += HEAD
        for label, cells in grid:
            parts.append(_line(label, cells, blocks, left, width, top, size))
            top += ROW
        top += GAP
    every = max(1, round(len(blocks) / (16 if size is WIDE else 8)))
    ticks = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        (
            (round(left + width * (i + 0.5), 1), top + 14, block)
            for i, block in enumerate(blocks)
            if i % every == 0
        ),
    )
    name = f"heat-{size.name}"
    return format_html(
        '<svg class="plot heat {0}" viewBox="0 0 {1} {2}" role="img" aria-labelledby="{3}-title" '
        'aria-describedby="{3}-desc"><title id="{3}-title">Blocks by metric</title>'
        '<desc id="{3}-desc">{4}</desc>{5}{6}'
        '<text class="axis-word" x="{7}" y="{8}" text-anchor="middle">block index, from 0</text></svg>',
        size.name, size.width, top + FOOT, name, _described(groups, selection),
        format_html_join("", "{}", ((part,) for part in parts)), ticks,
        round(left + (size.width - left) / 2, 1), top + 34,
    )  # fmt: skip


def _heading(pooling: str, top: int) -> SafeString:
    return format_html(
        '<text class="way" x="0" y="{}">Read at {}</text>', top + 14, pooling.replace("_", " ")
    )


def _line(
    label: str, cells: Sequence[Cell], blocks: Sequence[int], left: int, width: float, top: int, size: Size
) -> SafeString:
    place = {block: round(left + width * i, 1) for i, block in enumerate(blocks)}
    is_numbered = len(blocks) <= MOST_NUMBERED[size.name]
    is_titled = len(blocks) <= MOST_TITLED
    return format_html('<text x="0" y="{}">{}</text>', top + 19, label) + format_html_join(
        "",
        "{}",
        ((_box(label, cell, place[cell.block], top, width, is_numbered, is_titled),) for cell in cells),
    )


def _box(
    label: str, cell: Cell, x: float, top: int, width: float, is_numbered: bool, is_titled: bool
) -> SafeString:
    kind = "cell none" if cell.value is None else "cell"
    title: SafeString | str = ""
    if is_titled:
        title = format_html("<title>block {}: {} {}</title>", cell.block, label, plain(cell.value))
    number: SafeString | str = ""
    if is_numbered and cell.value is not None:
        number = format_html(
            '<text class="in{}" x="{}" y="{}" text-anchor="middle">{}</text>',
            " full" if cell.share > FULL else "", round(x + width / 2, 1), top + 18, plain(cell.value),
        )  # fmt: skip
    ring: SafeString | str = ""
    if cell.is_chosen:
        ring = format_html(
            '<rect class="ring" x="{}" y="{}" width="{}" height="{}"/>',
            round(x + 1, 1), top + 1, round(max(width - 2, 1), 1), ROW - 3,
        )  # fmt: skip
    return format_html(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{}">{}</rect>{}{}',
        kind, round(x + 0.5, 1), top, round(max(width - 1, 1), 1), ROW - 2,
        1 if cell.value is None else round(0.06 + 0.9 * cell.share, 2), title, number, ring,
    )  # fmt: skip


def _described(groups: list[tuple[str, list[tuple[str, list[Cell]]]]], selection: Json) -> str:
    """Where each metric is highest, for those who do not see the map."""
    words = [f"The vector acts at block {selection.get('block')}"]
    for pooling, grid in groups:
        for label, cells in grid:
            best = max((c for c in cells if c.value is not None), key=lambda c: c.value or 0.0)
            read = pooling.replace("_", " ")
            words.append(f"{label} read at {read} is highest at block {best.block}, {plain(best.value)}")
    return "; ".join(words) + "."
