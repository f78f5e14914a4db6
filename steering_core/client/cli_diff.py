"""`bearing diff`: what changed between two versions of a vector, or of two."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from steering_core.client.tables import listing
from steering_core.client.text import cell
from steering_core.client.ui import Ui, command

Json = dict[str, Any]


def add_to(app: typer.Typer) -> None:
    """Add this command to the tree."""
    examples = [
        "bearing diff acme/formality@1.0.0 acme/formality@1.1.0",
        "bearing diff acme/formality@stable acme/tone",
    ]
    command(app, "diff", examples=examples)(diff)


def diff(
    ui: Ui,
    before: Annotated[str, typer.Argument(metavar="REF", help="A version of a vector.")],
    after: Annotated[str, typer.Argument(metavar="REF", help="Another, of the same vector or of another.")],
) -> None:
    """Show what changed from one version to another: facts, directions and metrics."""
    found = ui.hub.diff(before, after)
    ui.result(found, *_shown(found))


def _shown(found: Json) -> list[RenderableType]:
    changes = [
        [row["field"], cell(row["before"]), cell(row["after"])] for row in found["facts"] + found["spec"]
    ]
    directions = [
        [row["place"], f"{row['cosine']:.4f}", f"{row['strength_ratio']:.3f}"] for row in found["directions"]
    ]
    metrics = [
        [row["label"], _value(row["before"]), _value(row["after"]), "apart" if row["differs"] else ""]
        for row in found["metrics"]
    ]
    missing = found["directions_missing"] or "no directions are compared"
    return [
        Text("facts", "bold"),
        listing(["", "before", "after"], changes, empty="no field differs"),
        Text("directions", "bold"),
        listing(["place", "cosine", "norm after / before"], directions, empty=missing),
        Text("metrics", "bold"),
        listing(["metric", "before", "after", "intervals"], metrics, empty="no metric is in both reports"),
    ]


def _value(measured: Json | None) -> str:
    if measured is None or measured["value"] is None:
        return "–"
    value, low, high = (measured[name] for name in ("value", "low", "high"))
    if not isinstance(value, int | float):
        return cell(value)
    return f"{value:.3g}" if low is None or high is None else f"{value:.3g} ({low:.3g} to {high:.3g})"
