"""Strengths for a wish: planted linear systems give back their optimum, and limits always hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering_core.errors import EvaluationError
from steering_core.evaluation.composition.solver import bounded_least_squares, solve
from tests.steering_core.evaluation.composition.planted import NAMES, composition

SLOPES = np.array([[2.0, 0.4, 0.0], [-0.3, 2.5, 0.5], [0.2, 0.0, 3.0]])


@st.composite
def systems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Slopes with effects of their own, wanted numbers, a window and a budget."""
    k = draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    slopes = rng.normal(size=(k, k)) + 3 * np.eye(k)
    return slopes, rng.normal(size=k), draw(st.floats(0.31, 1.0)), draw(st.floats(0.01, 2.0))


def test_solve_all_traits_wanted_gives_the_planted_strengths() -> None:
    planted = np.array([0.2, -0.1, 0.05])

    found = solve(dict(zip(NAMES, planted @ SLOPES, strict=False)), composition(SLOPES))

    np.testing.assert_allclose(found.strengths, planted, atol=1e-5)
    assert not found.missing
    assert not found.at_window


def test_solve_one_trait_wanted_gives_the_least_interference() -> None:
    # Lagrange: minimise |off|^2 + 0.01 dose / budget with the wanted effect given, in units of own effects.
    scaled = SLOPES / (0.6 * np.diag(SLOPES))
    quadratic = scaled[:, 1:] @ scaled[:, 1:].T + 0.01 / 4.0 * np.eye(3)
    direction = np.linalg.solve(quadratic, SLOPES[:, 0])
    optimum = 0.3 * direction / (SLOPES[:, 0] @ direction)

    found = solve({"warm": 0.3}, composition(SLOPES))

    np.testing.assert_allclose(found.strengths, optimum, atol=1e-5)
    assert found.predicted[0] == pytest.approx(0.3, abs=1e-4)
    assert np.abs(found.predicted[1:]).max() < 0.3 * np.abs(SLOPES[0, 1:] / SLOPES[0, 0]).max()


def test_solve_beyond_the_window_says_what_is_missing() -> None:
    found = solve({"warm": 3.0}, composition(np.eye(2), window=0.5))

    assert found.strengths[0] == 0.5
    assert found.missing == {"warm": pytest.approx(2.5)}
    assert found.at_window == ("warm",)
    assert not found.at_budget


def test_solve_beyond_the_budget_gives_the_nearest_within_it() -> None:
    found = solve({"warm": 0.4, "formal": 0.4}, composition(np.eye(2), most=0.08))

    np.testing.assert_allclose(found.strengths, [0.2, 0.2], atol=1e-4)
    assert found.at_budget
    assert set(found.missing) == {"warm", "formal"}


def test_solve_counts_a_shared_direction_twice() -> None:
    alike = np.array([[1.0, 0.5], [0.5, 1.0]])

    found = solve({"warm": 0.1, "formal": 0.1}, composition(np.eye(2), cosines=alike))

    assert found.dose == pytest.approx(0.03, rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(systems())
def test_solve_any_wish_stays_within_windows_and_budget(
    system: tuple[np.ndarray, np.ndarray, float, float],
) -> None:
    slopes, wanted, window, most = system

    found = solve(
        dict(zip(NAMES, wanted.tolist(), strict=False)), composition(slopes, window=window, most=most)
    )

    assert np.abs(found.strengths).max() <= window
    assert found.dose <= most * (1 + 1e-6)
    np.testing.assert_allclose(found.predicted, np.array(found.strengths) @ slopes, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(systems())
def test_bounded_least_squares_is_no_worse_than_any_point_in_the_box(
    system: tuple[np.ndarray, np.ndarray, float, float],
) -> None:
    a, b, window, _ = system
    low, high = np.full(len(b), -window), np.full(len(b), window)

    found = bounded_least_squares(a, b, low, high)
    gradient = a.T @ (b - a @ found)

    assert ((low <= found) & (found <= high)).all()
    # At the optimum no variable can move against its gradient: it is 0, or a bound is in the way.
    stuck = (np.abs(gradient) < 1e-6) | ((found == high) & (gradient > 0)) | ((found == low) & (gradient < 0))
    assert stuck.all()


@pytest.mark.parametrize("wanted", [{}, {"nobody": 0.1}, {"warm": float("nan")}])
def test_solve_what_cannot_be_wanted_is_refused(wanted: dict[str, float]) -> None:
    with pytest.raises(EvaluationError) as refused:
        solve(wanted, composition(SLOPES))

    assert refused.value.code == "evaluation.wanted"
