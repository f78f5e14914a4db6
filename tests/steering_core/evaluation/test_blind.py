"""Blind tests: side order, catch trials, exact intervals, raters who do not read."""

from collections import Counter

import numpy as np
import pytest

from steering_core.evaluation.blind import MIN_COMPARISONS, Rating, conclude, plan


def rate(rater, wins, losses, ties=0, false_alarms=0, honest_catches=4):
    """One rater's answers: steered replies on alternating sides."""
    outcomes = ["win"] * wins + ["loss"] * losses + ["tie"] * ties
    ratings = []
    for item, outcome in enumerate(outcomes):
        is_left = item % 2 == 0
        chosen = {True: "left", False: "right"}[is_left == (outcome == "win")]
        ratings.append(Rating(rater, item, "steered", is_left, "tie" if outcome == "tie" else chosen))
    answers = ["left"] * false_alarms + ["tie"] * honest_catches
    return ratings + [Rating(rater, i, "identical", True, answer) for i, answer in enumerate(answers)]


def test_plan_of_forty_items_has_all_of_them_and_catch_trials_in_random_order():
    comparisons = plan(40, seed=1)

    assert Counter(c.kind for c in comparisons) == {"steered": 40, "identical": 4, "random": 4}
    assert sorted(c.item for c in comparisons if c.kind == "steered") == list(range(40))
    assert [c.item for c in comparisons] != sorted(c.item for c in comparisons)


def test_plan_of_many_raters_puts_the_steered_reply_on_either_side_equally_often():
    sides = [c.is_left for seed in range(50) for c in plan(40, seed)]

    assert 0.45 < np.mean(sides) < 0.55
    assert plan(40, 3) == plan(40, 3)


@pytest.mark.parametrize(
    ("wins", "losses", "verdict"), [(20, 10, "warn"), (21, 9, "pass"), (9, 21, "fail"), (15, 15, "warn")]
)
def test_conclude_thirty_comparisons_uses_the_exact_bounds(wins, losses, verdict):
    found = conclude(rate("ada", wins, losses))

    # Published two-sided Clopper-Pearson bounds: 20 of 30 is .472 to .827, 21 of 30 is .506 to .853.
    assert found.metric.verdict == verdict
    if wins == 20:
        assert found.metric.interval == pytest.approx((0.472, 0.827), abs=0.001)


def test_conclude_nine_of_ten_is_insufficient():
    found = conclude(rate("ada", 9, 1))

    assert found.metric.verdict == "insufficient"
    assert str(MIN_COMPARISONS) in found.metric.reason


def test_conclude_ties_are_counted_and_not_decided():
    found = conclude(rate("ada", 30, 0, ties=10))

    assert (found.decided, found.ties, found.metric.value) == (30, 10, 1.0)


def test_conclude_rater_who_sees_differences_where_there_are_none_is_left_out():
    careless = rate("bob", 40, 0, false_alarms=4, honest_catches=0)

    found = conclude(rate("ada", 15, 15) + careless)

    assert (found.raters, found.left_out, found.decided) == (1, 1, 30)
    assert found.false_alarms == pytest.approx(0.5)


def test_conclude_two_raters_who_agree_have_kappa_one_and_a_wider_interval_than_independent_items():
    both = rate("ada", 25, 10) + rate("cy", 25, 10)

    found = conclude(both)

    assert found.agreement == pytest.approx(1.0)
    alone = conclude(rate("ada", 25, 10)).metric.interval
    width = found.metric.interval[1] - found.metric.interval[0]
    assert width == pytest.approx(alone[1] - alone[0], abs=0.02)


def test_conclude_by_chance_passes_at_most_one_time_in_twenty():
    rng = np.random.default_rng(5)

    passed = [
        conclude(rate("ada", wins, 40 - wins)).metric.verdict == "pass" for wins in rng.binomial(40, 0.5, 400)
    ]

    assert np.mean(passed) <= 0.05


def test_conclude_without_ratings_is_insufficient_and_claims_nothing():
    found = conclude([])

    assert found.metric.verdict == "insufficient"
    assert (found.metric.value, found.agreement, found.false_alarms) == (None, None, None)
