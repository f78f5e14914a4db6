"""Whether the pairs have a direction in common, how steady it is, and whether the vector is near it.

Held out or cross-fitted throughout: what a mean says of the pairs that it is the mean of says nothing.
"""

from typing import Any

import numpy as np

from steering_core.evaluation.axis import Axis, cosine, units
from steering_core.evaluation.evidence import Definition, Metric, Sample, judged, pairs_for, rounded, too_few
from steering_core.evaluation.statistics import cluster_jackknife, clustered_proportion
from steering_core.extraction.existence import consistency, sign_flip_p
from steering_core.extraction.methods.geometric_median import audit
from steering_core.extraction.statistics import Float64
from steering_core.pairs.needed import pairs_needed

P_PASS, P_FAIL = 0.01, 0.05
# With fewer groups no p can be small: swapping all of 2^n ways is all the chance there is.
LEAST_GROUPS = 8
ACCURACY_PASS, ACCURACY_FAIL = 0.85, 0.8
FOLDS = 5
CONSISTENCY_PASS, CONSISTENCY_FAIL = 0.2, 0.05
RELIABILITY_PASS, RELIABILITY_FAIL = 0.95, 0.85
SPLIT_HALVES = 200
ROBUST_PASS, ROBUST_FAIL = 0.95, 0.85
RANDOM_DIRECTIONS = 999
MOST_PAIRS = 500

EXISTENCE = Definition(
    "existence",
    "existence",
    "Could it be chance?",
    "Chance of the like from swapped labels, or from a random direction; the larger",
    f"passes if p ≤ {P_PASS}; fails if p > {P_FAIL}; needs {LEAST_GROUPS} test groups",
)
PAIRED_ACCURACY = Definition(
    "paired_accuracy",
    "existence",
    "Do the pairs agree which pole is which?",
    "Share of pairs with the positive text higher, on the mean difference of other groups",
    f"passes if the share ≥ {ACCURACY_PASS}; fails if the upper bound < {ACCURACY_FAIL}",
)
CONSISTENCY = Definition(
    "consistency",
    "existence",
    "Do the pairs point the same way, and are they enough?",
    "Mean cosine between the differences of two pairs",
    f"passes if the lower bound ≥ {CONSISTENCY_PASS} and the train pairs are as many as a cosine of 0.95 "
    f"takes; fails if the upper bound < {CONSISTENCY_FAIL} and they are not",
)
SPLIT_HALF = Definition(
    "split_half",
    "existence",
    "Would other pairs give the same direction?",
    "Expected cosine with the direction of endless pairs",
    f"passes if ≥ {RELIABILITY_PASS} and the lower bound ≥ {RELIABILITY_FAIL}; fails if the upper bound < "
    f"{RELIABILITY_FAIL}",
)
ROBUST = Definition(
    "robust_mean",
    "existence",
    "Do a few pairs decide it?",
    "Cosine of the mean difference with the geometric median",
    f"passes if ≥ {ROBUST_PASS}; fails if < {ROBUST_FAIL}",
)


def existence(axis: Axis) -> Metric:
    """Two exact tests on test pairs: the larger p counts.

    Labels: the poles of whole groups are swapped at random, and the mean difference is as long. Direction: a
    random one, isotropic or drawn from the spread of the texts, has as large a cosine with that difference.
    """
    groups = sorted(set(axis.clusters))
    reason = too_few(axis.clusters)
    if reason or len(groups) < LEAST_GROUPS:
        reason = reason or f"{len(groups)} test groups; this test needs at least {LEAST_GROUPS}."
        n_pairs = len(axis.subject.data.order)
        enough = max(pairs_for(LEAST_GROUPS, len(groups), n_pairs) or 0, axis.needed or 0)
        return Metric(EXISTENCE, "insufficient", reason, axis.sample, needed=enough)
    held_out = axis.test_differences
    by_labels = sign_flip_p(held_out, axis.groups("test"))
    by_direction = random_direction_p(axis, held_out.mean(0))
    p = max(by_labels, by_direction)
    return Metric(
        EXISTENCE,
        judged(passes=p <= P_PASS, fails=p > P_FAIL),
        f"Swapped labels do as well with p = {by_labels:.3f}, random directions with p = {by_direction:.3f}.",
        axis.sample,
        p,
    )


def paired_accuracy(axis: Axis) -> Metric:
    """Each pair on the mean difference of the other folds, which no group shares with it."""
    right, clusters = cross_fitted(axis), [axis.subject.cluster(i) for i in axis.subject.data.order]
    sample, share = Sample.of(clusters, "cross_fitted"), float(right.mean())
    if reason := _too_few_pairs(clusters):
        return Metric(PAIRED_ACCURACY, "insufficient", reason, sample, share, needed=axis.needed)
    low, high = clustered_proportion(right, clusters)
    verdict = judged(passes=share >= ACCURACY_PASS, fails=high < ACCURACY_FAIL)
    said = f"{int((~right).sum())} of {len(right)} pairs stand the other way round"
    note = "; some may have their poles swapped" if verdict != "pass" else ""
    bounds = f"the bounds are {low:.0%} and {high:.0%}"
    return Metric(PAIRED_ACCURACY, verdict, f"{said}{note}; {bounds}.", sample, share, (low, high))


def consistent(axis: Axis) -> Metric:
    """Mean pairwise cosine of train differences with the jackknife over groups, and the pairs it takes."""
    clusters = axis.train_clusters[:MOST_PAIRS]
    sample, n_train = Sample.of(clusters, "train"), len(axis.train_clusters)
    differences = units(axis.train_differences[:MOST_PAIRS])
    k = consistency(differences)
    if reason := _too_few_pairs(clusters):
        return Metric(CONSISTENCY, "insufficient", reason, sample, k, needed=axis.needed)
    low, high = cluster_jackknife(clusters, lambda kept: _mean_cosine(differences[kept]))
    wanted = pairs_needed(min(k, 1.0)) if k > 0 else None
    enough = wanted is not None and n_train >= wanted
    said = (
        f"About {wanted:,} train pairs are needed for a cosine of 0.95, and there are {n_train:,}"
        if wanted
        else f"The {n_train:,} train pairs have no direction in common"
    )
    total = pairs_for(wanted, n_train, len(axis.subject.data.order)) if wanted and not enough else None
    return Metric(
        CONSISTENCY,
        judged(passes=low >= CONSISTENCY_PASS and enough, fails=high < CONSISTENCY_FAIL and not enough),
        f"{said}; the bounds are {low:.2f} and {high:.2f}.",
        sample,
        k,
        (low, high),
        ("train pairs that a cosine of 0.95 takes", wanted) if wanted else None,
        total,
    )


def split_half(axis: Axis) -> Metric:
    """Cosines between the mean differences of random halves, each raised to the whole by Spearman and Brown.

    Source: Brown 1910 and Spearman 1910; on steering vectors Braun et al., arXiv 2505.22637.
    """
    sample = Sample.of(axis.train_clusters, "cross_fitted")
    if reason := _too_few_pairs(axis.train_clusters):
        return Metric(SPLIT_HALF, "insufficient", reason, sample, needed=axis.needed)
    found = reliabilities(axis)
    value, (low, high) = float(found.mean()), np.percentile(found, (2.5, 97.5)).tolist()
    return Metric(
        SPLIT_HALF,
        judged(passes=value >= RELIABILITY_PASS and low >= RELIABILITY_FAIL, fails=high < RELIABILITY_FAIL),
        f"Over {SPLIT_HALVES} random halvings it lies between {low:.2f} and {high:.2f}.",
        sample,
        value,
        (low, high),
    )


def robust_mean(axis: Axis) -> tuple[Metric, dict[str, Any]]:
    """Whether a mean that a few pairs cannot move points the same way; and the pairs that turn the mean most,
    by their row in the data set from 1.
    """
    sample, found = Sample.of(axis.train_clusters, "train"), audit(axis.rows("train"))
    value, train = found.cosine, axis.subject.data.train
    influential = [
        {"row": train[pair] + 1, "degrees": rounded(np.degrees(angle))} for pair, angle in found.influential
    ]
    facts = {"influential": influential}
    if reason := _too_few_pairs(axis.train_clusters):
        return Metric(ROBUST, "insufficient", reason, sample, value, needed=axis.needed), facts
    verdict = judged(passes=value >= ROBUST_PASS, fails=value < ROBUST_FAIL)
    return Metric(ROBUST, verdict, f"The cosine is {value:.3f}.", sample, value), facts


def cross_fitted(axis: Axis) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(n_pairs,), whether each pair's difference lies along the mean of the other folds' differences."""
    names = {
        name: i for i, name in enumerate(dict.fromkeys(map(axis.subject.cluster, axis.subject.data.order)))
    }
    fold = np.array([names[axis.subject.cluster(i)] % FOLDS for i in axis.subject.data.order])
    right = np.zeros(len(fold), bool)
    for number in range(FOLDS):
        mine = fold == number
        right[mine] = axis.differences[mine] @ axis.differences[~mine].sum(0) > 0
    return right


def reliabilities(axis: Axis) -> Float64:
    """(200,), of random halvings by whole groups: sqrt(2c / (1 + c)), and 0 where c is not above 0."""
    _, of = np.unique(axis.groups("train"), return_inverse=True)
    sums = np.zeros((int(of.max()) + 1, axis.differences.shape[1]))
    np.add.at(sums, of, axis.train_differences)
    gram, n = sums @ sums.T, len(sums)
    rng = np.random.default_rng(axis.subject.seed("halves"))
    halves = rng.permuted(np.tile(np.arange(n) < n // 2, (SPLIT_HALVES, 1)), axis=1).astype(np.float64)
    dots = [np.einsum("bi,bi->b", one @ gram, other) for one, other in _couples(halves, 1 - halves)]
    norms = np.sqrt(np.maximum(dots[0] * dots[1], np.finfo(float).tiny))
    c = np.clip(dots[2] / norms, 0, 1)
    full: Float64 = np.sqrt(2 * c / (1 + c))
    return full


def random_direction_p(axis: Axis, shift: Float64) -> float:
    """Chance that a random direction has as large a cosine with a shift as the vector has."""
    own = cosine(axis.unit, shift)
    found = random_directions(axis, RANDOM_DIRECTIONS) @ shift / np.linalg.norm(shift)
    isotropic = np.random.default_rng(axis.subject.seed("isotropic"))
    plain = units(isotropic.standard_normal((RANDOM_DIRECTIONS, len(shift)))) @ shift / np.linalg.norm(shift)
    return max(float((1 + (null >= own).sum()) / (len(null) + 1)) for null in (found, plain))


def random_directions(axis: Axis, n: int) -> Float64:
    """(n, d_model) of length 1, with the spread of the train texts but for their pole. Isotropic ones mostly
    point where no text ever goes.
    """
    rng = np.random.default_rng(axis.subject.seed("directions"))
    return units(rng.standard_normal((n, len(axis.texts))) @ axis.texts)


def _couples(one: Float64, other: Float64) -> tuple[tuple[Float64, Float64], ...]:
    return (one, one), (other, other), (one, other)


def _mean_cosine(units: Float64) -> float:
    n, total = len(units), units.sum(0)
    return float((total @ total - n) / (n * (n - 1)))


def _too_few_pairs(clusters: list[str]) -> str | None:
    reason = too_few(clusters)
    return reason.replace("test items", "pairs") if reason else None
