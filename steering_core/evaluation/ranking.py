"""Every place of stored activations with its direction and its rank. Numpy only, no model.

`selection` goes on from here: it steers at the best few, and what replies do decides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from steering_core.errors import ExtractionError
from steering_core.evaluation.statistics import auroc
from steering_core.extraction.derive import Direction, Recipe, derive
from steering_core.extraction.existence import consistency, sign_flip_p
from steering_core.extraction.statistics import Statistics
from steering_core.spec import ModelIdentity, Provenance, site_key
from steering_core.vector import SteeringVector

MIN_RATIO = 0.02
MIN_RELIABILITY = 0.8
MAX_P = 0.05
MAX_CANDIDATES = 8
_SPACED_FROM = 16
_CLOSE_AUROC = 0.02

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Projections:
    """Held-out pairs on a train direction, in units of the residual norm, (n_pairs,) each."""

    positive: Floats
    negative: Floats


@dataclass(frozen=True, slots=True)
class PlaceScore:
    """One row of the selection table.

    Attributes:
        auroc, d_prime: of select pairs on the train direction; NaN where no pair was held out.
        consistency, p: of the train pairs, see `extraction.existence`; NaN for a method without pairs.
        reliability, ratio: of the train direction, see `extraction.derive.Direction`.
        dose: the strength that changes what the model says next by as much as the other candidates; None
            where steering was not tried.
        effect: what steering by that dose either way does to select pairs; None where it was not tried.
    """

    pooling: str
    block: int
    auroc: float
    d_prime: float
    consistency: float
    p: float
    reliability: float
    ratio: float
    dose: float | None = None
    effect: float | None = None


@dataclass(frozen=True, eq=False)
class ScoredPlace:
    """A place with its direction and its score."""

    site: str
    direction: Direction
    score: PlaceScore

    def addition(self, strength: float) -> npt.NDArray[np.float32]:
        """What `steer` would add here: (d_model,) of norm |strength| x residual norm."""
        unit = self.direction.vector / self.direction.norm
        added: npt.NDArray[np.float32] = (strength * self.direction.residual_norm * unit).astype(np.float32)
        return added

    @property
    def at(self) -> tuple[str, int]:
        """(site, block)."""
        return self.site, self.score.block


def score_places(statistics: Statistics, recipe: Recipe, site: str) -> list[ScoredPlace]:
    """Every pooling and block at a site with its direction, from stored activations alone.

    Places at which the poles do not differ are left out.

    Raises:
        ExtractionError: they differ nowhere.
    """
    places, refused = [], None
    for pooling in statistics.reading.poolings:
        for block in statistics.reading.blocks:
            try:
                places.append(_scored(statistics, recipe, pooling, site, block))
            except ExtractionError as error:
                refused = error
    if not places:
        raise refused or ExtractionError("nothing was read", code="extraction.no_difference")
    return places


def project(
    statistics: Statistics, pooling: str, site: str, block: int, direction: Direction, split: str
) -> Projections:
    """A split's pairs on a direction."""
    rows = statistics.rows(pooling, site, block, statistics.split(split))
    axis = direction.vector / direction.norm / direction.residual_norm
    return Projections(*(rows.pole(pole).astype(np.float64) @ axis for pole in ("positive", "negative")))


def candidates(places: Sequence[ScoredPlace], n_layers: int) -> list[ScoredPlace]:
    """At most eight places worth steering, best rank first.

    The rank adds up d' and consistency, each in standard deviations over the places. In models of more than
    eight blocks the first tenth and the last fifth are left out, in models of more than sixteen neighbours
    too. Places whose ratio is below 0.02, whose reliability is below 0.8 or which a sign-flip test does not
    tell from chance are left out while others remain. Equal ranks stand nearest to the middle first.
    """
    kept = list(places)
    if n_layers > MAX_CANDIDATES:
        kept = [p for p in kept if 0.1 * n_layers <= p.score.block < 0.8 * n_layers] or kept
    for wanted in (
        lambda s: s.ratio >= MIN_RATIO,
        lambda s: s.p <= MAX_P,
        lambda s: not s.reliability < MIN_RELIABILITY,
    ):
        kept = [p for p in kept if wanted(p.score)] or kept
    rank = _standardised([p.score.d_prime for p in kept]) + _standardised([p.score.consistency for p in kept])
    off_middle = np.array([_off_middle(p, n_layers) for p in kept])
    best = [kept[i] for i in np.lexsort((off_middle, -rank))]
    if n_layers > _SPACED_FROM:
        best = _spaced(best)
    return best[:MAX_CANDIDATES]


def choose(places: Sequence[ScoredPlace], n_layers: int) -> ScoredPlace:
    """The candidate with the largest effect; where none was tried, see below.

    Without effects: among the places whose AUROC is within 0.02 of the best, the one nearest to the middle,
    where published vectors work best. Without held-out pairs all count as close.
    """
    tried = [p for p in places if p.score.effect is not None]
    if tried:
        return max(tried, key=lambda p: (p.score.effect or 0.0, -p.score.block))
    best = max((p.score.auroc for p in places if not math.isnan(p.score.auroc)), default=math.nan)
    close = [p for p in places if not p.score.auroc < best - _CLOSE_AUROC]
    return min(close, key=lambda p: (_off_middle(p, n_layers), p.score.block))


def with_effect(place: ScoredPlace, dose: float, effect: float) -> ScoredPlace:
    """The place with what steering there did."""
    return replace(place, score=replace(place.score, dose=dose, effect=effect))


def place_vector(
    places: Sequence[ScoredPlace], model: ModelIdentity, provenance: Provenance
) -> SteeringVector:
    """The directions of places at different blocks as one steering vector, without a window and doses."""
    by_key = {site_key(*place.at): place.direction for place in places}
    return SteeringVector(
        model=model,
        directions={key: direction.vector.astype(np.float32) for key, direction in by_key.items()},
        residual_norms={key: direction.residual_norm for key, direction in by_key.items()},
        sign="positive",
        set_points={
            key: (direction.negative_mean, direction.positive_mean) for key, direction in by_key.items()
        },
        provenance=provenance,
    )


def method_name(recipe: Recipe) -> str:
    """What a vector's provenance calls it: `mean_difference`, or `mean_difference_orthogonal`."""
    return f"{recipe.method}_orthogonal" if recipe.orthogonal else recipe.method


def _scored(statistics: Statistics, recipe: Recipe, pooling: str, site: str, block: int) -> ScoredPlace:
    train = statistics.split("train")
    direction = derive(statistics, recipe, pooling, site, block)
    differences = statistics.rows(pooling, site, block, train).differences()
    held_out = bool(len(statistics.split("select")))
    paired = recipe.method != "mean_centred"
    select = project(statistics, pooling, site, block, direction, "select")
    score = PlaceScore(
        pooling=pooling,
        block=block,
        auroc=auroc(select.positive, select.negative) if held_out else math.nan,
        d_prime=_d_prime(select) if held_out else math.nan,
        consistency=consistency(differences) if paired else math.nan,
        p=sign_flip_p(differences, statistics.labels.groups[train]) if paired else math.nan,
        reliability=direction.reliability,
        ratio=direction.ratio,
    )
    return ScoredPlace(site, direction, score)


def _d_prime(found: Projections) -> float:
    """Distance of the means in pooled standard deviations."""
    spread = math.sqrt((found.positive.var() + found.negative.var()) / 2)
    gap = float(found.positive.mean() - found.negative.mean())
    return gap / spread if spread > 0 else math.copysign(math.inf, gap) if gap else 0.0


def _standardised(values: Sequence[float]) -> Floats:
    array = np.nan_to_num(np.array(values, np.float64), nan=0.0, posinf=1e6, neginf=-1e6)
    spread = array.std()
    return (array - array.mean()) / spread if spread > 0 else np.zeros(len(array))


def _spaced(places: Sequence[ScoredPlace]) -> list[ScoredPlace]:
    """Places in order, without those next to a better one of the same pooling."""
    kept: list[ScoredPlace] = []
    for place in places:
        same = [k.score.block for k in kept if k.score.pooling == place.score.pooling]
        if all(abs(block - place.score.block) >= 2 for block in same):
            kept.append(place)
    return kept


def _off_middle(place: ScoredPlace, n_layers: int) -> float:
    return abs(place.score.block - (n_layers - 1) / 2)
