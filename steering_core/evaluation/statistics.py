"""Intervals and separation: cluster bootstrap, Clopper-Pearson, AUROC. Numpy only, no model.

All intervals are two-sided 95 %.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

_TAILS = (2.5, 97.5)


class ClusterBootstrap:
    """Resamples whole clusters, since pairs about one topic are not independent.

    Args:
        clusters: a label per item; items with equal labels are drawn together.
        n_resamples: how many bootstrap samples.
        seed: equal seeds give equal intervals.
    """

    def __init__(self, clusters: Sequence[str], n_resamples: int, seed: int) -> None:
        names = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
        self._of = np.array([names[c] for c in clusters], dtype=np.int64)
        self.n_clusters = len(names)
        rng = np.random.default_rng(seed)
        n = max(1, self.n_clusters)
        self._weights = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples).astype(np.float64)

    def mean(self, values: Floats) -> Interval:
        """Interval of the mean of one value per item."""
        return _percentiles(self._means(values))

    def ratio(self, numerator: Floats, denominator: Floats) -> Interval:
        """Interval of mean(numerator) / mean(denominator)."""
        below = self._means(denominator)
        return _percentiles(
            np.divide(self._means(numerator), below, out=np.zeros_like(below), where=below > 0)
        )

    def auroc(self, positive: Floats, negative: Floats) -> Interval:
        """Interval of `auroc`; item i has a positive and a negative score."""
        wins = np.zeros((self.n_clusters, self.n_clusters))
        np.add.at(wins, (self._of[:, None], self._of[None, :]), _wins(positive, negative))
        counts = np.bincount(self._of, minlength=self.n_clusters).astype(np.float64)
        drawn = self._weights @ counts
        return _percentiles(np.einsum("bi,bi->b", self._weights @ wins, self._weights) / drawn**2)

    def _means(self, values: Floats) -> Floats:
        sums = np.bincount(self._of, weights=values, minlength=self.n_clusters)
        counts = np.bincount(self._of, minlength=self.n_clusters)
        means: Floats = (self._weights @ sums) / (self._weights @ counts)
        return means


def auroc(positive: Floats, negative: Floats) -> float:
    """Share of (positive, negative) couples in which the positive scores higher; ties count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left") + np.searchsorted(ordered, positive, side="right")
    return float(below.sum() / (2 * len(positive) * len(negative)))


def clopper_pearson(successes: int, trials: int) -> Interval:
    """Exact interval of a proportion."""
    low = 0.0 if successes == 0 else _solve(lambda p: 1 - _binomial_cdf(successes - 1, trials, p), 0.025)
    high = (
        1.0 if successes == trials else 1 - _solve(lambda q: _binomial_cdf(successes, trials, 1 - q), 0.025)
    )
    return low, high


def slopes(strengths: Floats, values: Floats) -> Floats:
    """Least-squares slope of each row of `values` (items, strengths)."""
    centred = strengths - strengths.mean()
    result: Floats = values @ centred / (centred @ centred)
    return result


def _wins(positive: Floats, negative: Floats) -> Floats:
    wins: Floats = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
    return wins


def _percentiles(values: Floats) -> Interval:
    low, high = np.percentile(values, _TAILS)
    return float(low), float(high)


def _binomial_cdf(k: int, n: int, p: float) -> float:
    if p <= 0 or p >= 1:
        return 1.0 if p <= 0 or k >= n else 0.0
    logs = [
        math.lgamma(n + 1)
        - math.lgamma(i + 1)
        - math.lgamma(n - i + 1)
        + i * math.log(p)
        + (n - i) * math.log1p(-p)
        for i in range(k + 1)
    ]
    return min(1.0, math.fsum(math.exp(x) for x in logs))


def _solve(increasing: Callable[[float], float], target: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if increasing(middle) < target else (low, middle)
    return (low + high) / 2
