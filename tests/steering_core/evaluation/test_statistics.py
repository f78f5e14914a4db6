import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.evaluation.statistics import ClusterBootstrap, auroc, clopper_pearson, slopes


@given(
    positive=st.lists(st.integers(-3, 3), min_size=1, max_size=12),
    negative=st.lists(st.integers(-3, 3), min_size=1, max_size=12),
)
def test_auroc_is_the_share_of_couples_won_with_ties_half(positive, negative):
    counted = np.mean([(p > n) + 0.5 * (p == n) for p in positive for n in negative])

    assert auroc(np.array(positive, float), np.array(negative, float)) == pytest.approx(counted)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Reference values from R: binom.test(x, n)$conf.int
    [
        (0, 10, 0.0, 0.3084971),
        (5, 50, 0.0332751, 0.2181354),
        (10, 10, 0.6915029, 1.0),
        (3, 20, 0.0320709, 0.3789268),
    ],
)
def test_clopper_pearson_equals_reference_values(successes, trials, low, high):
    assert clopper_pearson(successes, trials) == pytest.approx((low, high), abs=1e-6)


def test_slopes_line_with_offset_is_its_slope():
    strengths = np.array([-0.3, 0.0, 0.1, 0.3])
    values = np.stack([2 * strengths + 5, -strengths])

    np.testing.assert_allclose(slopes(strengths, values), [2, -1])


def test_cluster_bootstrap_mean_covers_the_truth_about_95_percent_of_the_time():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        clusters = [str(i // 4) for i in range(120)]
        values = np.repeat(rng.standard_normal(30), 4) + 0.5 * rng.standard_normal(120)
        low, high = ClusterBootstrap(clusters, 400, trial).mean(values)
        hits += low <= 0 <= high

    assert 0.88 <= hits / 200 <= 0.99


def test_cluster_bootstrap_repeated_items_do_not_narrow_the_interval():
    values = np.random.default_rng(0).standard_normal(20)
    once = ClusterBootstrap([str(i) for i in range(20)], 500, 1).mean(values)
    tenfold = ClusterBootstrap([str(i) for i in range(20)] * 10, 500, 1).mean(np.tile(values, 10))

    assert tenfold == pytest.approx(once)


def test_cluster_bootstrap_equal_seeds_give_equal_intervals():
    clusters, values = list("aabbccdd"), np.arange(8.0)

    assert ClusterBootstrap(clusters, 99, 5).mean(values) == ClusterBootstrap(clusters, 99, 5).mean(values)
    assert ClusterBootstrap(clusters, 99, 5).mean(values) != ClusterBootstrap(clusters, 99, 6).mean(values)


def test_cluster_bootstrap_auroc_contains_the_point_and_is_one_when_separated():
    rng = np.random.default_rng(0)
    positive, negative = rng.standard_normal(40) + 1, rng.standard_normal(40)
    bootstrap = ClusterBootstrap([str(i % 10) for i in range(40)], 500, 0)
    low, high = bootstrap.auroc(positive, negative)

    assert low < auroc(positive, negative) < high
    assert bootstrap.auroc(positive + 100, negative) == (1.0, 1.0)


def test_cluster_bootstrap_ratio_of_proportional_values_is_exact():
    values = np.random.default_rng(0).uniform(1, 2, 30)

    assert ClusterBootstrap([str(i) for i in range(30)], 200, 0).ratio(3 * values, values) == pytest.approx(
        (3, 3)
    )
