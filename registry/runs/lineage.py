"""The lineage of a version: from data sets and runs over the versions it came from to those, and the presets,
that were made of it.

What the viewer may not see is a hidden node without a name, and nothing behind it is looked at.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from registry.accounts.access import visible_to
from registry.accounts.models import User
from registry.accounts.roles import Role
from registry.catalog.lineage import Descent, descents_of, versions_named, versions_shown
from registry.catalog.models import VectorVersion
from registry.catalog.states import Origin
from registry.datasets.models import Dataset
from registry.presets.models import PresetMember, PresetVersion
from registry.presets.states import RELEASED
from registry.runs.models import Run
from registry.runs.selectors import run_visible_to

# Steps up and down, and versions in all; more is cut off, and said to be.
MAX_STEPS = 8
MAX_VERSIONS = 200


@dataclass(frozen=True, slots=True)
class Node:
    """A thing in the graph; `row` is None for one that is hidden.

    Attributes:
        id: within this graph alone.
        kind: `version`, `dataset`, `run`, `preset` or `hidden`.
    """

    id: str
    kind: str
    row: Any = None


@dataclass(frozen=True, slots=True)
class Edge:
    """From what was there to what was made of it.

    Attributes:
        kind: `extracted` or `measured` from data sets and runs; `migrated`, `negated` or `combined` between
            versions; `mixed` into a preset.
        weight: what directions were multiplied with; a preset's strength; None elsewhere.
    """

    source: str
    target: str
    kind: str
    weight: float | None = None


@dataclass(slots=True)
class Lineage:
    """The graph; `is_cut` says that there is more."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    is_cut: bool = False


def version_lineage(*, viewer: Any, version: VectorVersion) -> Lineage:
    """Where a version that the viewer sees comes from, and what was made of it; three queries a step."""
    found = Lineage()
    shown = {version.pk: version}
    hidden: dict[uuid.UUID, str] = {}
    descents: dict[tuple[uuid.UUID, uuid.UUID], Descent] = {}
    for upward in (True, False):
        _walk(viewer, version, upward, shown, hidden, descents, found)
    found.nodes += [Node(_id(row), "version", row) for row in shown.values()]
    found.nodes += [Node(name, "hidden") for name in hidden.values()]
    names = {pk: _id(row) for pk, row in shown.items()} | hidden
    found.edges += [
        Edge(names[step.parent], names[step.child], step.kind, step.weight)
        for step in descents.values()
        if step.parent in names and step.child in names
    ]
    _add_sources(viewer, shown.values(), found)
    _add_presets(viewer, shown, found)
    return found


def _walk(
    viewer: Any,
    version: VectorVersion,
    upward: bool,
    shown: dict[uuid.UUID, VectorVersion],
    hidden: dict[uuid.UUID, str],
    descents: dict[tuple[uuid.UUID, uuid.UUID], Descent],
    found: Lineage,
) -> None:
    """Go up or down step by step, breadth first."""
    frontier = {version.pk}
    for _ in range(MAX_STEPS):
        steps = descents_of(frontier, upward=upward)
        ends = [step.parent if upward else step.child for step in steps]
        new = list(dict.fromkeys(pk for pk in ends if pk not in shown and pk not in hidden))
        room = max(0, MAX_VERSIONS - len(shown) - len(hidden))
        found.is_cut = found.is_cut or len(new) > room
        seen = versions_shown(viewer, new[:room])
        # Of what is not released nobody else learns that it is there.
        named = versions_named([pk for pk in new[:room] if pk not in seen])
        hidden |= {pk: f"hidden:{len(hidden) + n}" for n, pk in enumerate(sorted(named, key=new.index), 1)}
        shown |= seen
        descents |= {(step.parent, step.child): step for step in steps}
        frontier = set(seen)
        if not frontier:
            return
    found.is_cut = found.is_cut or bool(descents_of(frontier, upward=upward))


def _add_sources(viewer: Any, versions: Iterable[VectorVersion], found: Lineage) -> None:
    """The data sets that versions were made of or measured with, and the runs between, for those who see
    them.
    """
    rows = list(versions)
    datasets = {row.dataset_version.dataset_id for row in rows}
    seen = set(Dataset.objects.filter(visible_to(viewer), pk__in=datasets).values_list("pk", flat=True))
    runs = {}
    if isinstance(viewer, User):
        mine = Run.objects.filter(run_visible_to(viewer, Role.WRITER), vector_version__in=rows)
        runs = {run.vector_version_id: run for run in mine}
    known: dict[uuid.UUID, str] = {}
    for row in rows:
        source = row.dataset_version
        if source.pk not in known:
            is_seen = source.dataset_id in seen
            name = f"dataset:{source.pk}" if is_seen else f"hidden-dataset:{len(known) + 1}"
            known[source.pk] = name
            found.nodes.append(Node(name, "dataset" if is_seen else "hidden", source if is_seen else None))
        kind = "extracted" if row.origin == Origin.EXTRACTED else "measured"
        run = runs.get(row.pk)
        if run is None:
            found.edges.append(Edge(known[source.pk], _id(row), kind))
            continue
        found.nodes.append(Node(f"run:{run.pk}", "run", run))
        found.edges.append(Edge(known[source.pk], f"run:{run.pk}", kind))
        found.edges.append(Edge(f"run:{run.pk}", _id(row), kind))


def _add_presets(viewer: Any, shown: dict[uuid.UUID, VectorVersion], found: Lineage) -> None:
    """Released presets that mix these versions and that the viewer may see; of others nobody is told."""
    rows = PresetMember.objects.filter(
        visible_to(viewer, prefix="version__preset__"), version__state__in=RELEASED, vector_version__in=shown
    )
    members = list(rows.select_related("version__preset__owner")[: MAX_VERSIONS + 1])
    found.is_cut = found.is_cut or len(members) > MAX_VERSIONS
    presets: dict[uuid.UUID, PresetVersion] = {}
    for member in members[:MAX_VERSIONS]:
        name = f"preset:{member.version_id}"
        if member.version_id not in presets:
            presets[member.version_id] = member.version
            found.nodes.append(Node(name, "preset", member.version))
        found.edges.append(Edge(_id(shown[member.vector_version_id]), name, "mixed", member.strength))


def _id(row: VectorVersion) -> str:
    return f"version:{row.pk}"
