"""What `bearing convert`, `bearing inspect` and `bearing engines` show."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from steering_core.client.conversion import norm_summary
from steering_core.client.local_tables import DEFAULT_STRENGTH
from steering_core.client.tables import facts, listing
from steering_core.client.text import cell

Json = dict[str, Any]


def engines_table(rows: Sequence[Json]) -> RenderableType:
    """What each engine can say, and what its numbers mean."""
    said = [
        (
            Text(row["name"], no_wrap=True),
            f"{'in, out' if row['is_read'] else 'out'}  {row['suffix']}",
            ", ".join(row["operations"]),
            ", ".join(row["sites"]),
        )
        for row in rows
    ]
    meant = [(Text(row["name"], no_wrap=True), row["index"], row["sign"], row["scale"]) for row in rows]
    return Group(
        listing(("engine", "files", "does", "steers at"), said, empty="none"),
        Text(),
        listing(("engine", "block index", "positive", "factor"), meant, empty="none"),
    )


def loose_card(found: Json) -> RenderableType:
    """What a file of another engine holds, and what it can be written for."""
    blocks = found["n_layers"]
    size = f"{blocks} blocks x {found['d_model']}" if blocks else f"width {found['d_model']}"
    head = facts(
        [
            ("form", f"{found['title']} ({found['form']})"),
            ("model", f"{found['model']}, {size}" if found["model"] else size),
            ("operation", found["operation"]),
            ("multiplier", f"{found['multiplier']:g} is what the file asks for"),
            ("block index", found["index"]),
            ("positive", found["sign"]),
            ("factor", found["scale"]),
            ("norms", norm_summary(found["directions"])),
        ]
    )
    return Group(
        head,
        *_warnings(found),
        Text(),
        directions_table(found["directions"]),
        Text(),
        conversions_card(found),
    )


def converted_card(found: Json) -> RenderableType:
    """What was written, how to read its numbers, and how to use it."""
    head = facts(
        [
            ("written", ", ".join([found["file"], *found["beside"]])),
            ("digest", found["digest"]),
            ("form", found["title"]),
            ("operation", found["operation"]),
            ("block index", found["index"]),
            ("positive", found["sign"]),
            ("factor", found["scale"]),
            ("norms", norm_summary(found["directions"])),
            ("multiplier", found["advice"]),
        ]
    )
    return Group(head, *_warnings(found), Text(), directions_table(found["directions"]))


def directions_table(rows: Sequence[Json]) -> RenderableType:
    """One line per direction; block indexes are 0-based."""
    columns = {
        "norm": ("norm", "{:.4g}"),
        "cosine_to_block_before": ("cosine to the block before", "{:.3f}"),
        "residual_norm": ("residual norm", "{:.4g}"),
        "ratio": ("strength at 1", "{:.3f}"),
        "multiplier": (f"multiplier for {DEFAULT_STRENGTH:g}", "{:.4g}"),
    }
    shown = {name: value for name, value in columns.items() if any(row.get(name) is not None for row in rows)}
    has_window = any(row.get("window_multipliers") for row in rows)
    headings = ["direction", *(heading for heading, _ in shown.values()), *(["window"] if has_window else [])]
    lines = []
    for row in rows:
        numbers = ["" if row.get(n) is None else form.format(row[n]) for n, (_, form) in shown.items()]
        window = row.get("window_multipliers")
        lines.append([row["key"], *numbers, *(["{:.4g} to {:.4g}".format(*window)] if window else [])])
    return listing(headings, lines, empty="no directions")


def conversions_card(found: Mapping[str, Any]) -> RenderableType:
    """Which engines the vector can be written for, and why not for the others."""
    reasons: dict[str, str | None] = found["converts_to"]
    fits = [name for name, reason in reasons.items() if reason is None]
    refused = [(f"not {name}", reason) for name, reason in reasons.items() if reason is not None]
    return facts([("converts to", ", ".join(fits) or "nothing"), *refused])


def _warnings(found: Json) -> list[RenderableType]:
    return [Text(f"warning: {cell(text, most=500)}", style="yellow") for text in found["warnings"]]
