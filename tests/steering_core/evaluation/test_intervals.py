"""Nominal 95 % intervals must cover a planted truth 92 to 98 % of the time, also of few, unequal, skewed
clusters.
"""

from math import erf, sqrt

import numpy as np
import pytest

from steering_core.evaluation.distributions import t_quantile
from steering_core.evaluation.statistics import ClusterBootstrap, cluster_jackknife, clustered_proportion

TRIALS = 500
GAP, RATIO, SHARE = 1.0, 0.6, 0.2


def clusters_of(n):
    """One to five items each, in turn."""
    of = np.repeat(np.arange(n), 1 + np.arange(n) % 5)
    return of, [str(i) for i in of]


def noise(rng, skewed, of):
    """Variance 1, half of it of the cluster."""
    drawn = [
        rng.exponential(size=n) - 1 if skewed else rng.standard_normal(n) for n in (of.max() + 1, len(of))
    ]
    return (drawn[0][of] + drawn[1]) / sqrt(2)


def covered(truth, intervals):
    return np.mean([low <= truth <= high for low, high in intervals])


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("n_clusters", [5, 8, 24])
def test_means_differences_and_ratios_cover_the_planted_truth(n_clusters, skewed):
    rng = np.random.default_rng(n_clusters)
    of, clusters = clusters_of(n_clusters)
    bootstrap = ClusterBootstrap(clusters, 400, 0)
    means, differences, ratios = [], [], []
    for _ in range(TRIALS):
        below = 3 + noise(rng, skewed, of)
        above = RATIO * below + noise(rng, skewed, of)
        means.append(bootstrap.mean(below))
        differences.append(bootstrap.mean(below - above))
        ratios.append(bootstrap.ratio(above, below))

    for truth, found in ((3, means), (3 * (1 - RATIO), differences), (RATIO, ratios)):
        assert 0.92 <= covered(truth, found) <= 0.98


@pytest.mark.parametrize(("n_clusters", "skewed"), [(5, False), (8, False), (8, True), (24, True)])
def test_jackknife_of_a_curved_statistic_covers_the_planted_truth(n_clusters, skewed):
    rng = np.random.default_rng(n_clusters)
    of, clusters = clusters_of(n_clusters)
    found = []
    for _ in range(TRIALS):
        values = 10 + noise(rng, skewed, of)
        found.append(cluster_jackknife(clusters, lambda kept, v=values: float(np.log(v[kept].mean()))))

    assert 0.92 <= covered(np.log(10), found) <= 0.98


@pytest.mark.parametrize("n_clusters", [5, 8, 24])
def test_auroc_covers_the_planted_truth(n_clusters):
    rng = np.random.default_rng(n_clusters)
    of, clusters = clusters_of(n_clusters)
    bootstrap, found = ClusterBootstrap(clusters, 400, 0), []
    for _ in range(TRIALS):
        topic = rng.standard_normal(n_clusters)[of] / sqrt(2)
        positive, negative = topic + rng.standard_normal((2, len(of))) / sqrt(2)
        found.append(bootstrap.auroc(positive + GAP, negative))

    assert 0.92 <= covered(0.5 * (1 + erf(GAP / 2)), found) <= 0.98


@pytest.mark.parametrize(("n_clusters", "most"), [(8, 1.0), (14, 0.98), (48, 0.98)])
def test_shares_cover_the_planted_truth_and_of_few_clusters_err_on_the_wide_side(n_clusters, most):
    rng = np.random.default_rng(n_clusters)
    of, clusters = clusters_of(n_clusters)
    found = []
    for _ in range(TRIALS // 2):
        flags = rng.random(len(of)) < rng.beta(1, 4, n_clusters)[of]
        found.append(clustered_proportion(flags, clusters))

    assert 0.92 <= covered(SHARE, found) <= most


def test_jackknife_of_a_mean_without_skew_is_the_t_interval():
    values = np.arange(9.0)
    low, high = cluster_jackknife([str(i) for i in range(9)], lambda kept: float(values[kept].mean()))
    reach = t_quantile(0.975, 8) * values.std(ddof=1) / 3

    assert (low, high) == pytest.approx((4 - reach, 4 + reach))


def test_jackknife_reaches_further_on_the_side_of_the_long_tail():
    values = np.exp(np.arange(9.0))
    low, high = cluster_jackknife([str(i) for i in range(9)], lambda kept: float(values[kept].mean()))

    assert high - values.mean() > 1.5 * (values.mean() - low)


def test_jackknife_of_one_cluster_has_no_interval():
    assert np.isnan(cluster_jackknife(["a", "a"], lambda kept: 1.0)).all()


def test_ratio_of_proportional_items_has_no_width():
    below = np.random.default_rng(0).uniform(1, 2, 12)
    found = ClusterBootstrap([str(i // 2) for i in range(12)], 200, 0).ratio(0.25 * below, below)

    assert found == pytest.approx((0.25, 0.25))


def test_ratio_to_nothing_has_no_interval():
    found = ClusterBootstrap([str(i) for i in range(6)], 50, 0).ratio(np.ones(6), np.zeros(6))

    assert np.isnan(found).all()
