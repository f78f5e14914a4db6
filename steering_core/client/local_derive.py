"""Vectors of stored statistics, for `bearing derive`. Needs scikit-learn, neither torch nor a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steering_core.errors import ExtractionError
from steering_core.evaluation.ranking import (
    ScoredPlace,
    candidates,
    choose,
    method_name,
    place_vector,
    score_places,
)
from steering_core.extraction.derive import Recipe
from steering_core.extraction.merging import copy_statistics
from steering_core.extraction.statistics import Statistics
from steering_core.spec import Provenance, software
from steering_core.vector import SteeringVector


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for; an empty text, or None, leaves it to the ranking."""

    method: str
    orthogonal: bool
    site: str
    pooling: str
    block: int | None

    @property
    def recipe(self) -> Recipe:
        """How directions are made."""
        return Recipe(self.method, self.orthogonal)


def gathered(file: Path, dropped: Sequence[int], others: Sequence[Path], merged: Path) -> Statistics:
    """The statistics in a file, without some rows and with those of other files.

    Args:
        dropped: rows from 1.
        merged: where a new file goes, if one is needed.

    Raises:
        ExtractionError: a file is no statistics file, they do not fit together, or there is no such row.
    """
    first = Statistics(file)
    if not dropped and not others:
        return first
    outside = [row for row in dropped if not 1 <= row <= first.n_pairs]
    if outside:
        raise ExtractionError(
            f"there is no row {outside[0]}; {file.name} has rows 1 to {first.n_pairs}",
            code="extraction.no_such_row",
        )
    kept = np.setdiff1d(np.arange(first.n_pairs), np.array(dropped, np.int64) - 1)
    more = [Statistics(other) for other in others]
    return copy_statistics([(first, kept), *((one, np.arange(one.n_pairs)) for one in more)], merged)


def placed(statistics: Statistics, asked: Asked) -> tuple[list[ScoredPlace], ScoredPlace]:
    """Every place at the site, and the one asked for or, where that leaves several, ranked first.

    Raises:
        ExtractionError: the place was not read, or the poles do not differ there.
    """
    reading = statistics.reading
    site = asked.site or reading.sites[0]
    pooling = asked.pooling or reading.poolings[0]
    block = reading.blocks[0] if asked.block is None else asked.block
    statistics.rows(pooling, site, block)  # says what was read, if not this
    if not len(statistics.split("train")):
        raise ExtractionError("no train pairs are left; drop fewer", code="extraction.too_few_pairs")
    places = score_places(statistics, asked.recipe, site)
    fitting = [p for p in places if asked.pooling in ("", p.score.pooling)]
    fitting = [p for p in fitting if asked.block in (None, p.score.block)]
    if not fitting:
        raise ExtractionError(
            f"the positive and the negative texts look the same to the model at {site}.{block}, so there is "
            "no direction; choose another block or pooling",
            code="extraction.no_difference",
        )
    ranked = candidates(fitting, statistics.model.n_layers)
    return places, ranked[0] if _holds_out(statistics) else choose(ranked, statistics.model.n_layers)


def reason(statistics: Statistics, asked: Asked) -> str:
    """Why the place was taken, as half a sentence for people."""
    if asked.block is not None and (asked.pooling or len(statistics.reading.poolings) == 1):
        return "as asked"
    if _holds_out(statistics):
        return "ranked first on held-out pairs"
    return "nearest to the middle, since nothing was held out"


def vector_of(statistics: Statistics, asked: Asked, place: ScoredPlace) -> SteeringVector:
    """The direction of a place as a steering vector."""
    provenance = Provenance(
        method_name(asked.recipe),
        place.score.pooling,
        statistics.dataset_digest,
        "",
        software("numpy", "scikit-learn"),
        statistics.dtype,
    )
    return place_vector([place], statistics.model, provenance)


def _holds_out(statistics: Statistics) -> bool:
    return bool(len(statistics.split("select")))
