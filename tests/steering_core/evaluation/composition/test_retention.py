"""How many vectors a set carries: planted curves, orders and budgets give back what was planted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering_core.evaluation.composition.budget import fit_budget
from steering_core.evaluation.composition.record import Curve
from steering_core.evaluation.composition.retention import curve, random_orders
from tests.steering_core.evaluation.composition.planted import NAMES, budget, point


def carried(*kept: list[float], most: float = 1.0, coherence: float = 1.0) -> Curve:
    """The curve through points that keep these shares; the last has this coherence."""
    points = [point(NAMES[: len(one)], one) for one in kept[:-1]]
    points.append(point(NAMES[: len(kept[-1])], kept[-1], coherence=coherence))
    return curve("sum", "greedy", points, budget(most))


def test_curve_counts_by_value_and_by_lower_bound() -> None:
    found = carried([1.0], [0.95, 0.85], [0.9, 0.75, 0.8], [0.6, 0.9, 0.9, 0.9])

    assert found.max_axes == 3
    assert found.max_axes_shown == 2


def test_curve_ends_at_the_first_point_that_fails() -> None:
    assert carried([1.0], [0.5, 0.9], [0.9, 0.9, 0.9]).max_axes == 1


@pytest.mark.parametrize("limit", [{"coherence": 0.94}, {"most": 0.17}])
def test_curve_needs_coherence_and_budget_too(limit: dict[str, float]) -> None:
    assert carried([1.0], [0.9, 0.9]).max_axes_shown == 2
    assert carried([1.0], [0.9, 0.9], **limit).max_axes_shown == 1


@pytest.mark.parametrize(("k", "expected"), [(2, 2), (3, 5), (4, 5)])
def test_random_orders_are_different_and_repeatable(k: int, expected: int) -> None:
    found = random_orders(NAMES[:k], 5, seed=3)

    assert len(set(found)) == len(found) == expected
    assert all(sorted(order) == sorted(NAMES[:k]) for order in found)
    assert found == random_orders(NAMES[:k], 5, seed=3)


def test_fit_budget_finds_the_planted_dose() -> None:
    doses = np.linspace(0, 1, 41)

    found = fit_budget(doses, 1 - 0.5 * doses**2, kept=0.95)

    assert found.most == pytest.approx(np.sqrt(0.1), abs=0.01)
    assert found.residual < 1e-9


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1.2)), max_size=20))
def test_fit_budget_never_rises_and_never_promises_what_was_not_measured(
    measured: list[tuple[float, float]],
) -> None:
    doses, coherence = zip((0.0, 1.0), *measured, strict=True)

    found = fit_budget(doses, coherence, kept=0.95)

    assert (np.diff(found.coherence) <= 1e-12).all()
    assert 0 <= found.most <= max(doses)
    assert np.interp(found.most, found.doses, found.coherence) >= 0.95 or found.most == 0
