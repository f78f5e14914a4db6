"""Geometry: what the activations alone say of the direction. No forward pass beyond the extraction's own.

`stability`, `claims` and `lexical_baseline` are its parts; every number comes from test pairs, or is
cross-fitted.
"""

from typing import Any

import numpy as np

from steering_core.evaluation import claims, lexical_baseline, stability
from steering_core.evaluation.axis import Axis
from steering_core.evaluation.evidence import Definition, Metric, Section, judged, rounded, too_few
from steering_core.evaluation.lexical_baseline import d_prime
from steering_core.evaluation.ranking import MIN_RATIO, Projections
from steering_core.evaluation.statistics import auroc_between, cluster_jackknife
from steering_core.evaluation.subject import Findings, Subject, Tell
from steering_core.extraction.statistics import Float64

AUROC_PASS, AUROC_FAIL = 0.85, 0.5
D_PRIME_PASS, D_PRIME_FAIL = 1.5, 0.7
SHUFFLES = 20
RANDOM_DIRECTIONS = 99
OVERLAP_BINS = 50
_MOST_SHUFFLED = 200

AUROC = Definition(
    "auroc",
    "existence",
    "Does the direction exist?",
    "AUROC, held out, between groups",
    f"passes if the lower bound ≥ {AUROC_PASS}; fails if the lower bound ≤ {AUROC_FAIL}",
)
RATIO = Definition(
    "ratio",
    "existence",
    "Does the model tell the poles apart?",
    "Shift along the direction, share of the residual norm",
    f"passes if the lower bound ≥ {MIN_RATIO}; fails if the train ratio or the upper bound < {MIN_RATIO}",
)
D_PRIME = Definition(
    "d_prime",
    None,
    "How far apart are the poles?",
    "Distance of the means, in standard deviations of the texts",
    f"passes if the lower bound ≥ {D_PRIME_PASS}; fails if the upper bound < {D_PRIME_FAIL}",
)
_INDISTINCT = "The model hardly distinguishes the poles."


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """Whether the direction exists, is steady, is what the file says, and is more than a shortcut."""
    axis = Axis.of(subject)
    separation = _separation(axis)
    words, word_facts = lexical_baseline.words(axis, separation.value)
    scale, scale_facts = claims.scale(axis)
    robust, pair_facts = stability.robust_mean(axis)
    metrics = (
        separation,
        _shift(axis),
        stability.existence(axis),
        stability.paired_accuracy(axis),
        stability.consistent(axis),
        stability.split_half(axis),
        robust,
        scale,
        claims.provenance(axis),
        lexical_baseline.length(axis),
        lexical_baseline.leakage(axis),
        lexical_baseline.duplicates(axis),
        _distance(axis),
        words,
    )
    facts = _shapes(axis) | pair_facts | scale_facts | word_facts | _confounds(axis)
    return Section(metrics, facts)


def _separation(axis: Axis) -> Metric:
    """AUROC of the positive over the negative test texts, beside that of random directions."""
    test, clusters, sample = axis.test, axis.clusters, axis.sample
    value = auroc_between(test.positive, test.negative, clusters) if clusters else None
    if reason := too_few(clusters):
        return Metric(AUROC, "insufficient", reason, sample, value, needed=axis.needed)
    interval = axis.subject.resampling.over(clusters).auroc(test.positive, test.negative)
    random = _random_auroc(axis)
    return Metric(
        AUROC,
        judged(passes=interval[0] >= AUROC_PASS, fails=interval[0] <= AUROC_FAIL),
        f"The lower bound is {interval[0]:.2f}. The direction comes from the train split, the pairs from the "
        f"test split; one random direction in twenty tells them apart at {random:.2f} or better.",
        sample,
        value,
        interval,
        ("random directions, 95th percentile", random),
    )


def _shift(axis: Axis) -> Metric:
    """How far apart the poles of test pairs are along the direction, in residual norms."""
    test, clusters, sample = axis.test, axis.clusters, axis.sample
    shifts = test.positive - test.negative
    value = float(shifts.mean()) if clusters else None
    norm = axis.subject.vector.residual_norms[axis.subject.key]
    on_train = float((axis.train_differences @ axis.unit).mean()) / norm
    beside = ("on the train pairs", on_train)
    interval = None if too_few(clusters) else axis.subject.resampling.over(clusters).mean(shifts)
    if on_train < MIN_RATIO:
        reason = (
            f"{_INDISTINCT} On the train pairs the poles are {on_train:.4f} of the residual norm apart, less "
            f"than {MIN_RATIO}."
        )
        return Metric(RATIO, "fail", reason, sample, value, interval, beside)
    if interval is None:
        reason = too_few(clusters) or ""
        return Metric(RATIO, "insufficient", reason, sample, value, beside=beside, needed=axis.needed)
    verdict = judged(passes=interval[0] >= MIN_RATIO, fails=interval[1] < MIN_RATIO)
    note = f"{_INDISTINCT} " if verdict == "fail" else ""
    reason = f"{note}The bounds are {interval[0]:.3f} and {interval[1]:.3f}."
    return Metric(RATIO, verdict, reason, sample, value, interval, beside)


def _distance(axis: Axis) -> Metric:
    """d' of test texts, beside how much the two histograms overlap."""
    test, clusters = axis.test, axis.clusters
    if reason := too_few(clusters):
        return Metric(D_PRIME, "insufficient", reason, axis.sample, needed=axis.needed)
    interval = cluster_jackknife(
        clusters, lambda kept: d_prime(Projections(test.positive[kept], test.negative[kept]))
    )
    return Metric(
        D_PRIME,
        judged(passes=interval[0] >= D_PRIME_PASS, fails=interval[1] < D_PRIME_FAIL),
        f"The bounds are {interval[0]:.2f} and {interval[1]:.2f}.",
        axis.sample,
        d_prime(test),
        interval,
        ("overlap of the poles", overlap(test)),
    )


def overlap(found: Projections) -> float:
    """Share of the two histograms, of 50 bins, that they have in common: 0 apart, 1 the same."""
    both = np.concatenate([found.positive, found.negative])
    edges = np.histogram_bin_edges(both, OVERLAP_BINS)
    shares = [np.histogram(pole, edges)[0] / len(pole) for pole in (found.positive, found.negative)]
    return float(np.minimum(*shares).sum())


def selectivity(axis: Axis) -> tuple[float, float]:
    """(AUROC less that of a control task, that of the control task).

    The control task has the poles of whole groups swapped at random, in training as in the test, so that only
    what is not the trait could be learned; the mean of 20. Source: Hewitt and Liang 2019, arXiv 1909.03368.
    """
    rng = np.random.default_rng(axis.subject.seed("shuffles"))
    rows, clusters = _few_test(axis), axis.clusters[:_MOST_SHUFFLED]
    found = []
    for _ in range(SHUFFLES):
        train, test = (_signs(names, rng) for names in (axis.train_clusters, clusters))
        direction = train @ axis.train_differences
        positive, negative = (rows[pole] @ direction for pole in (0, 1))
        kept = test > 0
        swapped = np.where(kept, positive, negative), np.where(kept, negative, positive)
        found.append(auroc_between(*swapped, clusters))
    control = float(np.nanmean(found))
    return auroc_between(axis.test.positive, axis.test.negative, axis.clusters) - control, control


def _shapes(axis: Axis) -> dict[str, Any]:
    if too_few(axis.clusters):
        return {}
    gain, control = selectivity(axis)
    return {
        "overlap": rounded(overlap(axis.test)),
        "selectivity": rounded(gain),
        "control_auroc": rounded(control),
    }


def _confounds(axis: Axis) -> dict[str, Any]:
    if too_few(axis.clusters):
        return {}
    lengths = lexical_baseline.log_lengths(axis)
    return {
        "length_auroc": rounded(auroc_between(lengths.positive, lengths.negative, axis.clusters)),
        "correlations": {name: rounded(value) for name, value in lexical_baseline.correlations(axis).items()},
    }


def _random_auroc(axis: Axis) -> float:
    """95th percentile over random directions, whichever way round, of what the vector is asked for."""
    directions = stability.random_directions(axis, RANDOM_DIRECTIONS)
    positive, negative = (pole @ directions.T for pole in _few_test(axis))  # (n_test, n_directions)
    names = np.array(axis.clusters[:_MOST_SHUFFLED])
    between = names[:, None] != names[None]
    shares = [
        float(((one[:, None] > other) + 0.5 * (one[:, None] == other))[between].mean())
        for one, other in zip(positive.T, negative.T, strict=True)
    ]
    return float(np.quantile(np.maximum(shares, 1 - np.array(shares)), 0.95))


def _few_test(axis: Axis) -> tuple[Float64, Float64]:
    """Activations of at most 200 of the chosen test pairs, (n, d_model) for either pole."""
    rows = axis.rows("test")
    order = {index: row for row, index in enumerate(axis.subject.data.test)}
    kept = [order[index] for index in axis.chosen[:_MOST_SHUFFLED]]
    positive, negative = (rows.pole(pole)[kept].astype(np.float64) for pole in ("positive", "negative"))
    return positive, negative


def _signs(clusters: list[str], rng: np.random.Generator) -> Float64:
    """+1 or -1 per item, the same within a cluster."""
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    drawn: Float64 = rng.choice([-1.0, 1.0], len(names))[[names[name] for name in clusters]]
    return drawn
