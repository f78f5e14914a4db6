"""Where a version comes from and what was made of it, as a graph in SVG with links, and as a list.

`runs.lineage` finds it; here it is laid out from left to right, what came first at the left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.catalog.models import VectorVersion
from registry.catalog.states import RELEASED
from registry.runs.lineage import Edge, Lineage, Node, version_lineage
from registry.web.numbers import signed_short

WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 196, 46, 52, 16, 4
LONGEST_NAME = 25
# More would be a picture that nobody reads; the list has them all.
MOST_DRAWN = 40
KINDS = {
    "dataset": "dataset",
    "run": "run",
    "version": "vector",
    "preset": "preset",
    "hidden": "not yours to see",
}
EDGES = {
    "extracted": "extracted from",
    "measured": "measured with",
    "migrated": "moved from",
    "negated": "turned around from",
    "combined": "computed from",
    "mixed": "mixes",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing of the graph, for the list: what it is, and what it was made of."""

    kind: str
    name: str
    url: str
    is_here: bool
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """A preset that mixes this version, and at what strength."""

    name: str
    url: str
    strength: str
    verdict: str


@dataclass(frozen=True, slots=True)
class LineageView:
    """The graph, the same as a list, and the presets that mix the version itself.

    Attributes:
        graph: empty where there is too much to draw.
        is_cut: whether more is known than was looked at.
    """

    graph: SafeString
    steps: tuple[Step, ...]
    presets: tuple[Use, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class _Box:
    """A node and where it stands."""

    node: Node
    name: str
    url: str
    x: int
    y: int


def view_lineage(viewer: Any, version: VectorVersion) -> LineageView:
    """What this viewer may know of a version's past and offspring."""
    found = version_lineage(viewer=viewer, version=version)
    here = f"version:{version.pk}"
    names = {node.id: _name(node) for node in found.nodes}
    return LineageView(
        graph=_draw(found, here) if 1 < len(found.nodes) <= MOST_DRAWN else SafeString(""),
        steps=tuple(
            Step(
                KINDS[node.kind],
                names[node.id],
                _url(node),
                node.id == here,
                tuple(_source(edge, names) for edge in found.edges if edge.target == node.id),
            )
            for node in found.nodes
        ),
        presets=_presets(found, here),
        is_cut=found.is_cut,
    )


def columns(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[str, int]:
    """Each node's column: one to the right of the rightmost thing that it came from."""
    found = {node.id: 0 for node in nodes}
    # As often as a path can be long, so that a ring, which cannot be, would not go round for ever.
    for _ in nodes:
        moved = False
        for edge in edges:
            if found[edge.target] <= found[edge.source] < len(nodes):
                found[edge.target], moved = found[edge.source] + 1, True
        if not moved:
            break
    return found


def _draw(found: Lineage, here: str) -> SafeString:
    boxes = {box.node.id: box for box in _placed(found)}
    width = max(box.x for box in boxes.values()) + WIDTH + MARGIN
    height = max(box.y for box in boxes.values()) + HEIGHT + MARGIN
    lines = format_html_join("", "{}", ((_line(boxes, edge),) for edge in found.edges))
    drawn = format_html_join("", "{}", ((_box(box, box.node.id == here),) for box in boxes.values()))
    return format_html(
        '<svg class="graph" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="group" '
        'aria-label="Where this version comes from and what was made of it">{2}{3}</svg>',
        width, height, lines, drawn,
    )  # fmt: skip


def _placed(found: Lineage) -> list[_Box]:
    column = columns(found.nodes, found.edges)
    # A source stands right before what was made of it first, not at the far left.
    for node in found.nodes:
        ends = [column[edge.target] for edge in found.edges if edge.source == node.id]
        if ends and not any(edge.target == node.id for edge in found.edges):
            column[node.id] = max(0, min(ends) - 1)
    taken: dict[int, int] = {}
    boxes = []
    for node in found.nodes:
        at = column[node.id]
        row = taken[at] = taken.get(at, -1) + 1
        x, y = MARGIN + at * (WIDTH + ACROSS), MARGIN + row * (HEIGHT + DOWN)
        boxes.append(_Box(node, _name(node), _url(node), x, y))
    return boxes


def _line(boxes: Mapping[str, _Box], edge: Edge) -> SafeString:
    start, end = boxes[edge.source], boxes[edge.target]
    x1, y1, x2, y2 = start.x + WIDTH, start.y + HEIGHT // 2, end.x, end.y + HEIGHT // 2
    bend = max(18, (x2 - x1) // 2)
    weight: SafeString | str = ""
    if edge.weight is not None:
        weight = format_html(
            '<text class="weight" x="{}" y="{}" text-anchor="end">{}</text>', x2 - 6, y2 - 5,
            signed_short(edge.weight),
        )  # fmt: skip
    return format_html(
        '<path class="edge {}" d="M{} {}C{} {} {} {} {} {}"/>{}',
        edge.kind, x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2, weight,
    )  # fmt: skip


def _box(box: _Box, is_here: bool) -> SafeString:
    name = box.name if len(box.name) <= LONGEST_NAME else box.name[: LONGEST_NAME - 1] + "…"
    inside = format_html(
        '<rect x="{}" y="{}" width="{}" height="{}" rx="8"/><text class="kind" x="{}" y="{}">{}</text>'
        '<text class="name" x="{}" y="{}">{}</text><title>{}</title>',
        box.x, box.y, WIDTH, HEIGHT, box.x + 12, box.y + 18,
        f"{KINDS[box.node.kind]}{', this one' if is_here else ''}", box.x + 12, box.y + 36, name, box.name,
    )  # fmt: skip
    kind = f"node {box.node.kind}{' here' if is_here else ''}"
    if box.url and not is_here:
        return format_html('<a class="{}" href="{}">{}</a>', kind, box.url, inside)
    return format_html('<g class="{}">{}</g>', kind, inside)


def _presets(found: Lineage, here: str) -> tuple[Use, ...]:
    rows = {node.id: node for node in found.nodes if node.kind == "preset"}
    return tuple(
        Use(
            _name(rows[edge.target]),
            _url(rows[edge.target]),
            "" if edge.weight is None else signed_short(edge.weight),
            str(rows[edge.target].row.verdict),
        )
        for edge in found.edges
        if edge.source == here and edge.target in rows
    )


def _source(edge: Edge, names: Mapping[str, str]) -> str:
    weight = "" if edge.weight is None else f"{signed_short(edge.weight)} × "
    return f"{EDGES.get(edge.kind, edge.kind)} {weight}{names[edge.source]}"


def _name(node: Node) -> str:
    if node.kind == "hidden":
        return "private"
    return f"{node.row.kind} {str(node.row.pk)[:8]}" if node.kind == "run" else str(node.row)


def _url(node: Node) -> str:
    row = node.row
    match node.kind:
        case "version":
            owner, name = row.vector.owner.slug, row.vector.name
            if row.state in RELEASED:
                return reverse("web:vector_version", args=(owner, name, row.version))
            return "" if row.version else reverse("web:draft", args=(owner, name, row.pk))
        case "dataset":
            return reverse("web:dataset_version", args=(row.dataset.owner.slug, row.dataset.name, row.number))
        case "run":
            return reverse("web:run", args=(row.pk,))
        case "preset":
            return reverse("web:preset_version", args=(row.preset.owner.slug, row.preset.name, row.version))
    return ""
