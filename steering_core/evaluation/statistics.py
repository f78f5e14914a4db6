"""Intervals and separation: cluster bootstrap, jackknife, Clopper-Pearson, AUROC. Numpy only, no model.

All intervals are two-sided 95 % and count whole clusters: pairs about one topic are not independent.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from steering_core.evaluation.distributions import beta_quantile, t_quantile

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

_UPPER = 0.975


class ClusterBootstrap:
    """Resamples whole clusters; each end of an interval is the farther one of two constructions.

    Percentiles follow the skew of the estimate, but for few clusters they are too narrow: they are widened by
    sqrt(n / (n - 1)) and by Student's quantiles in place of normal ones, and still cover a mean of five
    clusters 91 % of the time. A t interval with the jackknife's standard error is right where there is no
    skew; its end on the side of the long tail is moved out by what a mean's skew costs. In simulations the
    hull of both covers 92 to 98 % from five clusters on.

    Source: Hesterberg, arXiv 1411.5279, for the expanded percentiles and the skewness-adjusted t interval;
    Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982), chapter 3; Johnson, Journal of the
    American Statistical Association 73 (1978), 536-544.

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
        return self.ratio(values, np.ones(len(values)))

    def ratio(self, numerators: Floats, denominators: Floats) -> Interval:
        """Interval of the mean of the one over the mean of the other, both of the same items.

        Means something only where the mean of the denominators is clearly not 0.
        """
        above = np.bincount(self._of, weights=numerators, minlength=self.n_clusters)
        below = np.bincount(self._of, weights=denominators, minlength=self.n_clusters)

        def ratios(weights: Floats) -> Floats:
            return _divided(weights @ above, weights @ below)

        return self._interval(ratios)

    def auroc(self, positive: Floats, negative: Floats) -> Interval:
        """Interval of `auroc_between` clusters; item i has a positive and a negative score.

        Samples that drew one cluster only hold no couple and are left out.
        """
        wins, couples = _between(positive, negative, self._of, self.n_clusters)

        def shares(weights: Floats) -> Floats:
            won = np.einsum("bi,bi->b", weights @ wins, weights)
            return _divided(won, np.einsum("bi,bi->b", weights @ couples, weights))

        low, high = self._interval(shares)
        return max(low, 0.0), min(high, 1.0)

    def _interval(self, estimate: Callable[[Floats], Floats]) -> Interval:
        """Of what `estimate` makes of weights per cluster, (n_samples, n_clusters) -> (n_samples,).

        NaN for one cluster: it says nothing about how clusters differ.
        """
        n = self.n_clusters
        resampled = estimate(self._weights)
        resampled = resampled[np.isfinite(resampled)]
        if n < 2 or not len(resampled):
            return math.nan, math.nan
        tail = 100 * NormalDist().cdf(-math.sqrt(n / (n - 1)) * t_quantile(_UPPER, n - 1))
        low, high = map(float, np.percentile(resampled, (tail, 100 - tail)))
        value, left_out = float(estimate(np.ones((1, n)))[0]), estimate(1 - np.eye(n))
        if not np.isfinite(left_out).all():
            return low, high
        lowest, highest = _t_interval(value, left_out)
        return min(low, lowest), max(high, highest)


def cluster_jackknife(
    clusters: Sequence[str], estimate: Callable[[npt.NDArray[np.bool_]], float]
) -> Interval:
    """The t interval of `ClusterBootstrap` alone, for an estimate that no bootstrap can weigh.

    Args:
        clusters: a label per item.
        estimate: of the items that a mask of (n_items,) keeps; called once for all and once without each
            cluster.
    """
    of, n = _numbered(clusters)
    if n < 2:
        return math.nan, math.nan
    value = estimate(np.ones(len(of), bool))
    left_out = np.array([estimate(of != cluster) for cluster in range(n)])
    return _t_interval(value, left_out)


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


def _divided(above: Floats, below: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    shares: Floats = np.divide(above, below, out=np.full(len(above), math.nan), where=below != 0)
    return shares


def _t_interval(value: float, left_out: Floats) -> Interval:
    """From an estimate and its values without each cluster; longer on the side of the long tail."""
    n, pulls = len(left_out), left_out.mean() - left_out
    summed = float(pulls @ pulls)
    if not summed:
        return value, value
    t, error = t_quantile(_UPPER, n - 1), math.sqrt((n - 1) / n * summed)
    # A sixth of the skewness of the estimate, as in the acceleration of Efron's BCa intervals.
    skew = float(((pulls / math.sqrt(summed)) ** 3).sum()) / 6
    tail = error * skew * (1 + 2 * t**2)
    return value - t * error + min(tail, 0.0), value + t * error + max(tail, 0.0)


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
