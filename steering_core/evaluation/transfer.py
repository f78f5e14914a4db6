"""A vector from elsewhere beside the one that the same pairs give on this very model.

`compatibility` asks it of a new revision, `migration` of another model. Cosine alone says little: different
directions can do the same, so what both do to held-out answers is compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from steering_core.errors import EvaluationError
from steering_core.evaluation.dose import CONTROL_STRENGTH
from steering_core.evaluation.evidence import (
    MIN_ITEMS,
    Definition,
    Metric,
    Sample,
    judged,
    pairs_for,
    too_few,
)
from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.ranking import place_vector, score_places
from steering_core.evaluation.statistics import Interval
from steering_core.evaluation.subject import Subject
from steering_core.evaluation.suite import EMPTY_SUITE, Suite
from steering_core.extraction.derive import METHODS, Recipe
from steering_core.extraction.extract import encode_splits, extract
from steering_core.models.load import LanguageModel
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits
from steering_core.spec import BUDGETS, POOLINGS, canonical_json, digest, parse_site_key
from steering_core.vector import SteeringVector

TRANSFER_PASS, TRANSFER_FAIL = 0.8, 0.5
# Test pairs that are tried at most. Where more would be needed, the value lies on a threshold.
MAX_ITEMS = 400

TRANSFER = Definition(
    "transfer_ratio",
    "transfer",
    "Does it work as well as the model's own vector?",
    "Effect over that of the vector that the pairs give on this model",
    f"passes if the lower bound ≥ {TRANSFER_PASS}; fails if the upper bound < {TRANSFER_FAIL}; warns if the "
    "interval lies between; one that holds either number decides nothing",
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Transfer:
    """What both vectors do on one model.

    Attributes:
        own: what the pairs give there, by the vector's own method, place and pooling.
        cosine: between the two directions.
        given, extracted: per test pair the slope of the preference under the vector in question and under
            `own`, nats per token and unit of strength, within ±0.3; empty without prompts.
    """

    subject: Subject
    own: SteeringVector
    cosine: float
    given: Floats
    extracted: Floats
    clusters: tuple[str, ...]


def trial(
    lm: LanguageModel,
    vector: SteeringVector,
    pairs: Sequence[ContrastivePair],
    splits: Splits,
    folder: Path,
    *,
    tier: str = "standard",
    suite: Suite = EMPTY_SUITE,
) -> Subject:
    """A vector to be tried on a model, whichever model it was made for.

    Raises:
        EvaluationError: it has more than one direction.
        ExtractionError: too few pairs fit the model.
    """
    if len(vector.directions) != 1:
        raise EvaluationError(
            f"one direction is compared, this vector has {len(vector.directions)}; give one",
            code="evaluation.several_directions",
        )
    data = encode_splits(lm, pairs, splits)
    site, block = parse_site_key(next(iter(vector.directions)))
    pooling = _pooling(vector, pairs)
    statistics = extract(
        lm, pairs, data, folder / "trial.safetensors", sites=(site,), blocks=(block,), pooling=pooling,
        dataset_digest=vector.provenance.dataset_digest,
    )  # fmt: skip
    return Subject(
        lm=lm,
        vector=replace(vector, provenance=replace(vector.provenance, pooling=pooling)),
        pairs=pairs,
        data=data,
        statistics=statistics,
        suite=suite,
        budget=BUDGETS[tier],
        tier=tier,
        digest=digest(canonical_json([vector.tensor_digest, lm.identity.model_hash, tier])),
        advertised=vector.window,
    )


def measure_transfer(subject: Subject) -> Transfer:
    """Extract the model's own vector from the train pairs, and steer test pairs with both.

    The strengths of the vector in question are in its own residual norm, as an engine would apply it.

    Raises:
        ExtractionError: the poles do not differ inside this model.
    """
    own = _own(subject)
    units = [v.directions[subject.key].astype(np.float64) for v in (subject.vector, own)]
    cosine = float(units[0] @ units[1] / np.linalg.norm(units[0]) / np.linalg.norm(units[1]))
    given, extracted = slopes_under(subject, [subject.vector, own])
    _, _, clusters = subject.test_items(MAX_ITEMS if len(given) else 0)
    return Transfer(subject, own, cosine, given, extracted, tuple(clusters))


def slopes_under(subject: Subject, vectors: Sequence[SteeringVector]) -> list[Floats]:
    """Per vector, the slope of the preference of each test pair between strengths -0.3 and 0.3, in nats per
    token and unit of strength; empty where the pairs have no prompts or none is held out.
    """
    if not subject.has_prompts or not subject.data.test:
        return [np.zeros(0) for _ in vectors]
    _, items, _ = subject.test_items(MAX_ITEMS)
    ends = (-CONTROL_STRENGTH, CONTROL_STRENGTH)
    additions = np.stack([vector.addition(s, subject.key) for vector in vectors for s in ends])
    found = propensities(subject.lm, items, subject.place, additions).preference
    return [(found[:, 2 * i + 1] - found[:, 2 * i]) / (ends[1] - ends[0]) for i in range(len(vectors))]


def transfer_metric(found: Transfer) -> Metric:
    """The ratio of the two mean slopes, with an interval over groups."""
    sample = Sample.of(found.clusters)
    if not len(found.given):
        reason = "The pairs have no prompts or none are held out, so answers cannot be compared; add prompts."
        return Metric(TRANSFER, "insufficient", reason, sample)
    own = float(found.extracted.mean())
    value = float(found.given.mean()) / own if own else None
    beside = ("slope of the model's own vector", own)
    few = too_few(found.clusters)
    if few is not None or value is None:
        needed = _pairs(found, max(MIN_ITEMS, sample.n + 1))
        return Metric(TRANSFER, "insufficient", few or "", sample, value, None, beside, needed)
    bootstrap = found.subject.resampling.over(found.clusters)
    low, high = bootstrap.mean(found.extracted)
    if low <= 0:
        reason = (
            f"The model's own vector has no clear effect on these pairs (slope {own:.2f}, {low:.2f} to "
            f"{high:.2f}), so there is nothing to compare with."
        )
        needed = _pairs(found, _items(sample.n, own - low, own)) if own > 0 else None
        return Metric(TRANSFER, "insufficient", reason, sample, value, None, beside, needed)
    return _judged(found, value, bootstrap.ratio(found.given, found.extracted), beside)


def _judged(found: Transfer, value: float, interval: Interval, beside: tuple[str, float]) -> Metric:
    low, high = interval
    sample = Sample.of(found.clusters)
    bounds = f"Its effect is {value:.0%} of the own vector's; the bounds are {low:.0%} and {high:.0%}."
    if inside := [t for t in (TRANSFER_FAIL, TRANSFER_PASS) if low < t <= high]:
        items = [_items(sample.n, value - low if t < value else high - value, abs(value - t)) for t in inside]
        needed = _pairs(found, None if None in items else max(filter(None, items)))
        more = f" About {needed:,} pairs would decide it." if needed else ""
        return Metric(TRANSFER, "insufficient", bounds + more, sample, value, interval, beside, needed)
    verdict = judged(passes=low >= TRANSFER_PASS, fails=high < TRANSFER_FAIL)
    return Metric(TRANSFER, verdict, bounds, sample, value, interval, beside)


def _items(n: int, reach: float, gap: float) -> int | None:
    """How many test items make an interval that reaches so far on either side reach no farther than the
    gap; None where that is out of reach.
    """
    wanted = n * (reach / gap) ** 2 if gap > 0 else math.inf
    return math.ceil(wanted) if wanted <= MAX_ITEMS else None


def _pairs(found: Transfer, items: int | None) -> int | None:
    n_pairs = len(found.subject.data.order)
    return None if items is None else pairs_for(items, len(found.subject.data.test), n_pairs)


def _own(subject: Subject) -> SteeringVector:
    """What the pairs give at the vector's place; by mean difference where its method is none of ours."""
    named = subject.vector.provenance.method
    orthogonal = named.endswith("_orthogonal")
    method = named.removesuffix("_orthogonal")
    known = method in METHODS and method != "mean_centred"
    recipe = Recipe(method, orthogonal) if known else Recipe()
    place = score_places(subject.statistics, recipe, subject.place[0])[0]
    provenance = replace(subject.vector.provenance, method=recipe.method, spec_digest="")
    return place_vector([place], subject.lm.identity, provenance)


def _pooling(vector: SteeringVector, pairs: Sequence[ContrastivePair]) -> str:
    """How activations were read; the common way where the vector does not say it."""
    named = vector.provenance.pooling
    if named in POOLINGS and named != "auto":
        return named
    return "response_mean" if all(pair.prompt for pair in pairs) else "prompt_last"
