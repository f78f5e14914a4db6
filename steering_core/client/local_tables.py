"""What the commands for vectors that are made here show: the places, and how to use the file. No torch."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from steering_core.client.tables import listing
from steering_core.spec import site_key

if TYPE_CHECKING:  # `ranking` needs scikit-learn, which takes a second to import
    from steering_core.evaluation.ranking import ScoredPlace

Json = dict[str, Any]
DEFAULT_STRENGTH = 0.3
# Column -> heading, and how a number is written; with all of them a line has 80 characters.
_COLUMNS = {
    "block": ("block", "{}"),
    "pooling": ("pooling", "{}"),
    "norm": ("norm", "{:.3g}"),
    "ratio": ("ratio", "{:.3f}"),
    "auroc": ("AUROC\nheld out", "{:.3f}"),
    "consistency": ("consis-\ntency", "{:.3f}"),
    "reliability": ("relia-\nbility", "{:.3f}"),
    "dose": ("dose", "{:.3f}"),
    "effect": ("effect", "{:+.3f}"),
}


def place_rows(places: Sequence["ScoredPlace"], chosen: Sequence["ScoredPlace"]) -> list[Json]:
    """Every place as JSON, block by block; null for what could not be measured."""
    marked = {(place.score.pooling, place.at) for place in chosen}
    return [
        _row(place) | {"chosen": (place.score.pooling, place.at) in marked}
        for place in sorted(places, key=lambda place: (place.score.pooling, place.score.block))
    ]


def places_table(rows: Sequence[Json]) -> RenderableType:
    """One line per place, a star at the chosen ones; a column that no place has a number for is left out."""
    columns = [name for name in _COLUMNS if any(row[name] is not None for row in rows)]
    headings = [*(_COLUMNS[name][0] for name in columns), ""]
    return listing(headings, (_cells(row, columns) for row in rows), empty="no places")


def place_doubts(rows: Sequence[Json]) -> Iterator[str]:
    """What speaks against the chosen places, sentence by sentence."""
    from steering_core.evaluation.ranking import MAX_P, MIN_RATIO, MIN_RELIABILITY

    for row in (row for row in rows if row["chosen"]):
        if row["ratio"] < MIN_RATIO:
            yield (
                f"{row['key']}: this model hardly tells the poles apart (ratio {row['ratio']:.3f}, expected "
                f"{MIN_RATIO:g} or more)"
            )
        if row["reliability"] is not None and row["reliability"] < MIN_RELIABILITY:
            yield (
                f"{row['key']}: other pairs of this kind would give another direction (reliability "
                f"{row['reliability']:.2f}, expected {MIN_RELIABILITY:g} or more); add pairs"
            )
        if row["effect"] is not None and row["effect"] <= 0:
            yield f"{row['key']}: steering did not favour the positive side (effect {row['effect']:+.3f})"
        if row["p"] is not None and row["p"] > MAX_P:
            yield f"{row['key']}: chance alone gives as long a difference (sign-flip p {row['p']:.2f})"


def usage_lines(file: Path, named: str, rows: Sequence[Json], *, model: Path | None) -> str:
    """Python that loads the model and steers it with the file."""
    chosen = [row for row in rows if row["chosen"]]
    strength = (chosen[0]["dose"] or DEFAULT_STRENGTH) if len(chosen) == 1 else DEFAULT_STRENGTH / len(chosen)
    folder = str(model.resolve()) if model else "the folder of the base model"
    return f"""\
from pathlib import Path

from steering_core.formats.bearing import read_vector
from steering_core.injection import steer
from steering_core.injection.generate import generate
from steering_core.models.load import load_model

vector = read_vector(Path({json.dumps(str(file))}).read_bytes(), {json.dumps(named)})
lm = load_model(Path({json.dumps(folder)}), expected_hash=vector.model.model_hash)
with steer(lm, [(vector, {strength:.2g})]):
    print(generate(lm, ["your prompt"])[0])"""


def _row(place: "ScoredPlace") -> Json:
    score, direction = place.score, place.direction
    measured = {
        "norm": direction.norm,
        "residual_norm": direction.residual_norm,
        "ratio": score.ratio,
        "auroc": score.auroc,
        "d_prime": score.d_prime,
        "consistency": score.consistency,
        "p": score.p,
        "reliability": score.reliability,
        "dose": score.dose,
        "effect": score.effect,
    }
    at = {"key": site_key(*place.at), "site": place.site, "block": score.block, "pooling": score.pooling}
    return at | {name: _finite(value) for name, value in measured.items()}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _cells(row: Json, columns: Sequence[str]) -> list[str]:
    shown = ["–" if row[name] is None else _COLUMNS[name][1].format(row[name]) for name in columns]
    return [*shown, "*" if row["chosen"] else ""]
