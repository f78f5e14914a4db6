"""The blocks of a model side by side, as SVG: how well each tells the poles apart, and where steering worked.

Colours are classes in static/css/runs.css; the same numbers stand in a table beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.web.numbers import plain, signed
from registry.web.plots import EMPTY, Size, svg_path
from registry.web.run_facts import Chosen, PlaceLine

MAX_LABELS = 16


WIDE = Size("wide", 720, 330, strip=84)
NARROW = Size("narrow", 340, 310, strip=84)


@dataclass(frozen=True, slots=True)
class _Frame:
    left: float
    right: float
    top: float
    bottom: float
    blocks: Sequence[int]

    def x(self, block: int) -> float:
        step = (self.right - self.left) / max(len(self.blocks), 1)
        return round(self.left + step * (self.blocks.index(block) + 0.5), 1)

    def y(self, auroc: float) -> float:
        return round(self.bottom - min(max(auroc, 0.0), 1.0) * (self.bottom - self.top), 1)


def block_plot(lines: Sequence[PlaceLine], chosen: Chosen | None, size: Size = WIDE) -> SafeString:
    """A line per pooling over the blocks, bars of what steering did below; empty without a number."""
    blocks = sorted({point.block for line in lines for point in line.points if point.auroc is not None})
    if not blocks:
        return EMPTY
    frame = _Frame(44, size.width - 10, 14, size.height - size.strip - 58, blocks)
    return format_html(
        '<svg class="plot {0} blocks" viewBox="0 0 {1} {2}" role="img" aria-labelledby="blocks-{0}-title">'
        '<title id="blocks-{0}-title">{3}</title>{4}{5}{6}{7}</svg>',
        size.name,
        size.width,
        size.height,
        describe(lines, chosen),
        _axes(frame, size),
        _chosen(frame, chosen, size),
        format_html_join("", "{}", ((_line(line, i, frame),) for i, line in enumerate(lines))),
        _bars(lines, frame, size),
    )


def describe(lines: Sequence[PlaceLine], chosen: Chosen | None) -> str:
    """The figure in one sentence, for those who do not see it."""
    known = [(p.auroc, p.block, line.label) for line in lines for p in line.points if p.auroc is not None]
    best, block, label = max(known)
    said = f"Block {block}, {label}, tells the poles apart best, with an AUROC of {plain(best)}"
    return f"{said}; block {chosen.block} was chosen." if chosen else f"{said}."


def _axes(frame: _Frame, size: Size) -> SafeString:
    grid = format_html_join(
        "",
        '<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>',
        (
            (
                "zero" if value == 0.5 else "grid",
                frame.left,
                frame.right,
                frame.y(value),
                frame.y(value),
                frame.left - 8,
                frame.y(value) + 4,
                f"{value:g}",
            )
            for value in (0.0, 0.5, 1.0)
        ),
    )
    every = -(-len(frame.blocks) // (MAX_LABELS if size.name == "wide" else MAX_LABELS // 2))
    below = size.height - 26
    labels = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((frame.x(block), below, block) for block in frame.blocks[::every]),
    )
    middle = (frame.left + frame.right) / 2
    return format_html(
        '{}{}<text class="axis-word" x="{}" y="{}" text-anchor="middle">block</text>',
        grid,
        labels,
        middle,
        below + 20,
    )


def _chosen(frame: _Frame, chosen: Chosen | None, size: Size) -> SafeString:
    if chosen is None or chosen.block not in frame.blocks:
        return EMPTY
    half = (frame.right - frame.left) / len(frame.blocks) / 2
    x = frame.x(chosen.block)
    return format_html(
        '<rect class="window" x="{}" y="{}" width="{}" height="{}" rx="4"/>',
        round(x - half, 1),
        frame.top - 8,
        round(2 * half, 1),
        size.height - 42 - frame.top,
    )


def _line(line: PlaceLine, index: int, frame: _Frame) -> SafeString:
    known = [(frame.x(p.block), frame.y(p.auroc), p) for p in line.points if p.auroc is not None]
    if not known:
        return EMPTY
    dots = format_html_join(
        "",
        '<circle class="dot" cx="{}" cy="{}" r="{}"><title>{}</title></circle>',
        (
            (x, y, 3.6 if len(known) <= 40 else 2, f"block {p.block}, {line.label}: AUROC {plain(p.auroc)}")
            for x, y, p in known
        ),
    )
    path = svg_path((x, y) for x, y, _ in known)
    return format_html('<g class="way way-{}"><path class="way-line" d="{}"/>{}</g>', index % 4, path, dots)


def _bars(lines: Sequence[PlaceLine], frame: _Frame, size: Size) -> SafeString:
    """What steering did, by the best pooling of each block, from a zero line in the middle of the strip."""
    best: dict[int, float] = {}
    for line in lines:
        for point in line.points:
            if point.effect is not None and point.block in frame.blocks:
                best[point.block] = max(best.get(point.block, point.effect), point.effect)
    if not best:
        return EMPTY
    most = max(abs(effect) for effect in best.values()) or 1.0
    bottom = size.height - 46
    zero, half = bottom - size.strip / 2, size.strip / 2 - 4
    width = min(26.0, 0.6 * (frame.right - frame.left) / len(frame.blocks))
    bars = format_html_join(
        "",
        '<rect class="effect {}" x="{}" y="{}" width="{}" height="{}" rx="2"><title>{}</title></rect>',
        (
            (
                "to" if effect >= 0 else "from",
                round(frame.x(block) - width / 2, 1),
                round(zero - max(effect, 0) / most * half, 1),
                round(width, 1),
                round(max(abs(effect) / most * half, 1.0), 1),
                f"block {block}: effect {signed(effect)}",
            )
            for block, effect in sorted(best.items())
        ),
    )
    return format_html(
        '<line class="zero" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
        '<text x="{3}" y="{4}" text-anchor="end">effect</text>{5}',
        frame.left,
        frame.right,
        zero,
        frame.left - 6,
        zero + 4,
        bars,
    )
