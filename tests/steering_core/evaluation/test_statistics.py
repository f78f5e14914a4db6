import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from steering_core.evaluation.statistics import (
    ClusterBootstrap,
    auroc,
    auroc_between,
    clopper_pearson,
    clustered_proportion,
    slopes,
)

# Few distinct values, so that ties are common; clusters of any size.
ITEMS = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.sampled_from("abcdefghijkl")),
    min_size=2,
    max_size=40,
)
FINITE = st.floats(-1e6, 1e6)


def columns(items):
    positive, negative, clusters = zip(*items, strict=True)
    return np.array(positive, float), np.array(negative, float), clusters


@given(
    positive=st.lists(st.integers(-3, 3), min_size=1, max_size=12),
    negative=st.lists(st.integers(-3, 3), min_size=1, max_size=12),
)
def test_auroc_is_the_share_of_couples_won_with_ties_half(positive, negative):
    counted = np.mean([(p > n) + 0.5 * (p == n) for p in positive for n in negative])

    assert auroc(np.array(positive, float), np.array(negative, float)) == pytest.approx(counted)


@given(ITEMS)
def test_auroc_between_counts_couples_of_different_clusters_only(items):
    won = [(p > n) + 0.5 * (p == n) for p, _, one in items for _, n, other in items if one != other]

    assert auroc_between(*columns(items)) == pytest.approx(np.mean(won) if won else np.nan, nan_ok=True)


@given(ITEMS, st.integers(0, 99))
def test_intervals_contain_their_value_whatever_the_ties(items, seed):
    positive, negative, clusters = columns(items)
    assume(len(set(clusters)) > 1)
    bootstrap = ClusterBootstrap(clusters, 200, seed)
    flags = positive > negative
    for value, (low, high) in (
        (positive.mean(), bootstrap.mean(positive)),
        (auroc_between(positive, negative, clusters), bootstrap.auroc(positive, negative)),
        (flags.mean(), clustered_proportion(flags, clusters)),
    ):
        assert low - 1e-12 <= value <= high + 1e-12


@given(st.lists(st.tuples(FINITE, FINITE, st.sampled_from("abcdefgh")), min_size=2, max_size=30))
@example([(1e-120, 0.0, "a"), (0.0, 0.0, "b")])  # the cube of the spread is too small for a float
def test_intervals_of_any_numbers_contain_their_value(items):
    positive, negative, clusters = columns(items)
    assume(len(set(clusters)) > 1)
    bootstrap = ClusterBootstrap(clusters, 200, 0)
    low, high = bootstrap.mean(positive)
    assert low - 1e-6 <= positive.mean() <= high + 1e-6
    low, high = bootstrap.auroc(positive, negative)
    assert low - 1e-12 <= auroc_between(positive, negative, clusters) <= high + 1e-12


def test_auroc_of_pairs_that_only_differ_within_themselves_is_no_evidence():
    topics = np.repeat(np.random.default_rng(0).standard_normal(14), 3)
    clusters = [str(i // 3) for i in range(42)]

    assert auroc(topics + 1e-6, topics) > 0.53  # every pair is won, and nothing else
    assert auroc_between(topics + 1e-6, topics, clusters) == 0.5
    assert ClusterBootstrap(clusters, 500, 0).auroc(topics + 1e-6, topics) == pytest.approx((0.5, 0.5))


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


def test_cluster_bootstrap_repeated_items_do_not_narrow_the_interval():
    values = np.random.default_rng(0).standard_normal(20)
    once = ClusterBootstrap([str(i) for i in range(20)], 500, 1).mean(values)
    tenfold = ClusterBootstrap([str(i) for i in range(20)] * 10, 500, 1).mean(np.tile(values, 10))

    assert tenfold == pytest.approx(once)


def test_clustered_proportion_repeated_items_do_not_narrow_the_interval():
    flags = np.array([True] * 4 + [False] * 16)
    clusters = [str(i) for i in range(20)]
    once = clustered_proportion(flags, clusters)
    tenfold = clustered_proportion(np.tile(flags, 10), clusters * 10)

    assert once == pytest.approx(clopper_pearson(4, 20), abs=0.02)
    assert tenfold == pytest.approx(once, abs=0.03)


def test_cluster_bootstrap_equal_seeds_give_equal_intervals():
    clusters, values = [str(i) for i in range(30)], np.arange(30.0)
    first, again, other = (ClusterBootstrap(clusters, 99, seed).mean(values) for seed in (5, 5, 6))

    assert first == again != other


def test_cluster_bootstrap_auroc_of_separated_scores_is_one():
    negative = np.random.default_rng(0).standard_normal(40)
    bootstrap = ClusterBootstrap([str(i % 10) for i in range(40)], 500, 0)

    assert bootstrap.auroc(negative + 100, negative) == (1.0, 1.0)


def test_cluster_bootstrap_one_cluster_has_no_interval():
    assert np.isnan(ClusterBootstrap(["a", "a"], 50, 0).mean(np.array([1.0, 2.0]))).all()
