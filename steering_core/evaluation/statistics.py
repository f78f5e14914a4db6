"""Intervals and separation: cluster bootstrap, Clopper-Pearson, AUROC. Numpy only, no model.

All intervals are two-sided 95 % and count whole clusters: pairs about one topic are not independent.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from steering_core.evaluation.distributions import beta_quantile, t_quantile

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

_UPPER = 0.975


class ClusterBootstrap:
    """Resamples whole clusters, with percentiles widened for the number of clusters.

    Plain percentiles are too narrow for few clusters: they lack the factor sqrt(n / (n - 1)) and take normal
    quantiles for Student's. The widened ones match a t interval where the estimate is symmetric.

    Source: the expanded percentile interval of Hesterberg, arXiv 1411.5279.

    Args:
        clusters: a label per item; items with equal labels are drawn together.
        n_resamples: how many bootstrap samples.
        seed: equal seeds give equal intervals.
    """

    def __init__(self, clusters: Sequence[str], n_resamples: int, seed: int) -> None:
        self._of, self.n_clusters = _numbered(clusters)
        rng = np.random.default_rng(seed)
        n = max(1, self.n_clusters)
        self._weights = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples).astype(np.float64)

    def mean(self, values: Floats) -> Interval:
        """Interval of the mean of one value per item."""
        sums = np.bincount(self._of, weights=values, minlength=self.n_clusters)
        counts = np.bincount(self._of, minlength=self.n_clusters)
        return self._percentiles((self._weights @ sums) / (self._weights @ counts))

    def auroc(self, positive: Floats, negative: Floats) -> Interval:
        """Interval of `auroc_between` clusters; item i has a positive and a negative score.

        Samples that drew one cluster only hold no couple and are left out.
        """
        wins, couples = _between(positive, negative, self._of, self.n_clusters)
        won = np.einsum("bi,bi->b", self._weights @ wins, self._weights)
        of = np.einsum("bi,bi->b", self._weights @ couples, self._weights)
        return self._percentiles(won[of > 0] / of[of > 0])

    def _percentiles(self, values: Floats) -> Interval:
        """NaN for one cluster: it says nothing about how clusters differ."""
        n = self.n_clusters
        if n < 2 or not len(values):
            return math.nan, math.nan
        tail = 100 * NormalDist().cdf(-math.sqrt(n / (n - 1)) * t_quantile(_UPPER, n - 1))
        low, high = np.percentile(values, (tail, 100 - tail))
        return float(low), float(high)


def auroc(positive: Floats, negative: Floats) -> float:
    """Share of (positive, negative) couples in which the positive scores higher; ties count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left") + np.searchsorted(ordered, positive, side="right")
    return float(below.sum() / (2 * len(positive) * len(negative)))


def auroc_between(positive: Floats, negative: Floats, clusters: Sequence[str]) -> float:
    """`auroc` over the couples whose two items are of different clusters; NaN if there are none.

    Within a cluster, and above all within a pair, the two scores share their topic, so those couples answer
    another question. A bootstrap also draws them too often (a cluster drawn twice meets itself four times),
    which would put the interval beside the value.
    """
    of, n_clusters = _numbered(clusters)
    wins, couples = _between(positive, negative, of, n_clusters)
    return float(wins.sum() / couples.sum()) if couples.any() else math.nan


def clopper_pearson(successes: float, trials: float) -> Interval:
    """Exact interval of a proportion; both numbers may be fractions where trials are an effective size."""
    tail, failures = 1 - _UPPER, trials - successes
    low = 0.0 if successes <= 0 else beta_quantile(tail, successes, failures + 1)
    high = 1.0 if failures <= 0 else beta_quantile(1 - tail, successes + 1, failures)
    return low, high


def clustered_proportion(flags: npt.NDArray[np.bool_], clusters: Sequence[str]) -> Interval:
    """Clopper-Pearson for items in clusters: the trials are what they are worth if items were independent.

    Source: Korn and Graubard, Survey Methodology 24 (1998), 193-201. Needs two clusters or more.
    """
    of, m = _numbered(clusters)
    n, share = len(flags), float(np.mean(flags))
    residuals = np.bincount(of, weights=flags - share, minlength=m)
    variance = m / (m - 1) * float(residuals @ residuals) / n**2
    worth = min(n, share * (1 - share) / variance) if variance > 0 else n
    worth *= (t_quantile(_UPPER, n - 1) / t_quantile(_UPPER, m - 1)) ** 2
    return clopper_pearson(share * worth, worth)


def slopes(strengths: Floats, values: Floats) -> Floats:
    """Least-squares slope of each row of `values` (items, strengths)."""
    centred = strengths - strengths.mean()
    result: Floats = values @ centred / (centred @ centred)
    return result


def _numbered(clusters: Sequence[str]) -> tuple[npt.NDArray[np.int64], int]:
    names = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    return np.array([names[c] for c in clusters], dtype=np.int64), len(names)


def _between(
    positive: Floats, negative: Floats, of: npt.NDArray[np.int64], n_clusters: int
) -> tuple[Floats, Floats]:
    """Couples won and couples there are, (n_clusters, n_clusters), with nothing on the diagonal."""
    won = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
    wins = np.zeros((n_clusters, n_clusters))
    np.add.at(wins, (of[:, None], of[None, :]), won)
    counts = np.bincount(of, minlength=n_clusters).astype(np.float64)
    couples = np.outer(counts, counts)
    np.fill_diagonal(wins, 0.0)
    np.fill_diagonal(couples, 0.0)
    return wins, couples
