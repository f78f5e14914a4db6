"""What `bearing verify` shows: how an engine's answers compare, and which engines can be run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from steering_core.client.tables import facts, listing

if TYPE_CHECKING:
    from steering_core.formats.conformance import Certificate
    from steering_core.formats.conformance_finding import Finding

Json = dict[str, Any]


def likenesses_table(finding: "Finding", certificate: "Certificate") -> RenderableType:
    """What the change of the logits looks like, the right one first, and how far the rest agrees."""
    from steering_core.formats.conformance_finding import MARGIN

    right = finding.likenesses[0].name
    rows = [
        (
            Text(found.name, style=_style(finding, found.name == right, found.name), no_wrap=True),
            f"{found.cosine:.5f}",
            f"{found.size:.3f}",
        )
        for found in finding.likenesses
    ]
    below = facts(
        [
            ("without the vector", f"logits off by {finding.unsteered_error:.2%} of their spread"),
            ("allowed", f"{finding.tolerance:.1%}, and {MARGIN:g} times nearer to right than to any fault"),
            ("no fault", ", ".join(certificate.same)),
        ]
    )
    return Group(listing(("compared with", "cosine", "size"), rows, empty="nothing"), Text(), below)


def engines_table(rows: Sequence[Json]) -> RenderableType:
    """Which engines an interpreter has, and how to get the others."""
    shown = [
        (
            Text(row["engine"], style="green" if row["is_installed"] else "dim", no_wrap=True),
            ", ".join(f"{name} {version}" for name, version in row["versions"].items())
            if row["is_installed"]
            else f"not here: {row['install']}",
            row["model"],
        )
        for row in rows
    ]
    return listing(("engine", "installed", "model"), shown, empty="none")


def _style(finding: "Finding", is_right: bool, name: str) -> str:
    if is_right:
        return "green" if finding.conforms else ""
    return "red" if name == finding.matched else "dim"
