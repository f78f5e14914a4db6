"""The interval of a change of a share, measured twice on the same items."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.evaluation.safety.paired import change_interval


@given(st.integers(1, 300), st.data())
def test_change_interval_holds_the_change_and_turns_with_its_sign(n, data):
    gained = data.draw(st.integers(0, n))
    lost = data.draw(st.integers(0, n - gained))

    low, high = change_interval(gained, lost, n)
    turned = change_interval(lost, gained, n)

    assert -1 <= low <= (gained - lost) / n + 1e-9
    assert (gained - lost) / n - 1e-9 <= high <= 1
    assert turned == pytest.approx((-high, -low), abs=1e-6)


@pytest.mark.parametrize(("n", "high"), [(60, 0.0602), (73, 0.05), (100, 0.037)])
def test_change_interval_of_no_change_ends_at_the_score_bound(n, high):
    assert change_interval(0, 0, n)[1] == pytest.approx(1.96**2 / (n + 1.96**2), abs=1e-4)
    assert change_interval(0, 0, n)[1] == pytest.approx(high, abs=1e-3)


def test_change_interval_agrees_with_mcnemar_on_whether_there_is_a_rise():
    """(b - c) / sqrt(b + c) beyond 1.96 is what McNemar's test rejects."""
    for gained, lost in [(5, 1), (6, 0), (4, 0), (3, 0), (12, 4), (11, 4), (20, 9), (20, 10)]:
        rejected = (gained - lost) / np.sqrt(gained + lost) > 1.96

        assert (change_interval(gained, lost, 100)[0] > 0) == rejected


@pytest.mark.parametrize(("gains", "losses"), [(0.1, 0.02), (0.3, 0.1), (0.05, 0.05)])
def test_change_interval_covers_a_planted_change(gains, losses):
    rng = np.random.default_rng(0)
    counts = rng.multinomial(100, [gains, losses, 1 - gains - losses], size=600)

    intervals = [change_interval(gained, lost, 100) for gained, lost, _ in counts]

    covered = np.mean([low <= gains - losses <= high for low, high in intervals])
    assert 0.92 <= covered <= 0.98


def test_change_interval_with_a_smaller_tail_reaches_lower_and_no_higher():
    plain, corrected = change_interval(12, 1, 100), change_interval(12, 1, 100, low_tail=0.025 / 12)

    assert corrected[0] < plain[0]
    assert corrected[1] == plain[1]
