"""Strengths for effects that are wanted: within every window and the coherence budget, with the least
interference. Numpy only, so that a stored composition can be solved without its model.

`compose` measures again what the strengths found here do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steering_core.errors import EvaluationError
from steering_core.evaluation.composition.record import Composition, Solution

# Weight of the dose beside interference: small, so that it decides only where interference leaves a choice.
DOSE_WEIGHT = 0.01
# A wanted effect weighs so much more than an unwanted one that it is missed only where it cannot be had.
_WANTED_WEIGHT = 1e3
_BISECTIONS = 60
_LOG_RANGE = 60.0
_LEAST_BUDGET = 1e-9
_RIDGE = 1e-5

Floats = npt.NDArray[np.float64]


def solve(
    wanted: Mapping[str, float], composition: Composition, dose_weight: float = DOSE_WEIGHT
) -> Solution:
    """The strengths s that minimise |off-target effects|^2 + dose_weight * dose / budget, where effects are
    s_i * B[i][j] / (2 * strength_i), each in units of the trait's own effect.

    Subject to the wanted effects, to each window (0 is always allowed), and to the dose, the squared norm of
    all that is added, being within the budget. Where the wanted effects cannot be had, those nearest to them,
    and what is missing.

    Args:
        wanted: change from the unsteered model, in the trait's own unit, by member.

    Raises:
        EvaluationError: `evaluation.wanted`: nothing wanted, a name that is no member, or not a number.
    """
    check_wanted(wanted, composition.names)
    names, most = composition.names, composition.budget.most
    slopes, units = _linear(composition)
    problem = _problem(wanted, composition, slopes, units)
    strengths = problem.within(most, dose_weight / max(most, _LEAST_BUDGET))
    dose, predicted = problem.dose(strengths), strengths @ slopes
    short = {name: float(wanted[name] - predicted[names.index(name)]) for name in wanted}
    unit = dict(zip(names, units.tolist(), strict=True))
    at_end = (strengths != 0) & ((strengths == problem.low) | (strengths == problem.high))
    return Solution(
        wanted={name: float(value) for name, value in wanted.items()},
        strengths=tuple(strengths.tolist()),
        predicted=tuple(predicted.tolist()),
        missing={n: gap for n, gap in short.items() if abs(gap) > max(0.01 * abs(wanted[n]), 1e-3 * unit[n])},
        at_window=tuple(name for name, ends in zip(names, at_end, strict=True) if ends),
        at_budget=dose >= most * (1 - 1e-3),
        dose=dose,
    )


def predict(strengths: Mapping[str, float], composition: Composition) -> Solution:
    """What chosen strengths should do, effects taken as linear; nothing is solved for, so nothing is missing.

    Args:
        strengths: by member; one that is left out is at 0.

    Raises:
        EvaluationError: `evaluation.wanted`: a name that is no member, or not a number.
    """
    check_wanted(strengths, composition.names)
    chosen = np.array([strengths.get(name, 0.0) for name in composition.names], np.float64)
    slopes, _ = _linear(composition)
    dose = float(chosen @ np.array(composition.cosines) @ chosen)
    return Solution(
        wanted={},
        strengths=tuple(chosen.tolist()),
        predicted=tuple((chosen @ slopes).tolist()),
        missing={},
        at_window=(),
        at_budget=dose >= composition.budget.most,
        dose=dose,
    )


def check_wanted(wanted: Mapping[str, float], names: Sequence[str]) -> None:
    """Refuse what cannot be wanted, before anything is measured for it.

    Raises:
        EvaluationError: `evaluation.wanted`.
    """
    if not wanted:
        raise EvaluationError("no effect is wanted; name a member and a number", code="evaluation.wanted")
    for name, value in wanted.items():
        if name not in names or not np.isfinite(value):
            raise EvaluationError(
                f"{name[:40]!r} = {value} cannot be wanted; expected a finite number for one of "
                f"{', '.join(names)}",
                code="evaluation.wanted",
            )


def bounded_least_squares(a: Floats, b: Floats, low: Floats, high: Floats) -> Floats:
    """The x within [low, high] that minimises |a x - b|; `a` has independent columns.

    An active-set method: it ends at the exact minimum, not near it.

    Source: Stark and Parker, Computational Statistics 10 (1995), 129-141 (BVLS).

    Args:
        a: (n_equations, n).
        low, high: (n,), low <= 0 <= high.
    """
    x = np.zeros(len(low))
    free = np.zeros(len(low), dtype=bool)
    scale = 1e-9 * (1.0 + float(np.abs(a.T @ b).max(initial=0.0)))
    for _ in range(100 * (len(low) + 1)):
        gradient = a.T @ (b - a @ x)
        # Which held variables would go inwards; the one that would gain most is let go.
        gain = np.where(free | ((gradient > 0) & (x >= high)) | ((gradient < 0) & (x <= low)), 0.0, gradient)
        if np.abs(gain).max(initial=0.0) <= scale:
            break
        free[int(np.argmax(np.abs(gain)))] = True
        x, free = _step_to_free_minimum(a, b, (low, high), x, free)
    return x


def _step_to_free_minimum(
    a: Floats, b: Floats, bounds: tuple[Floats, Floats], x: Floats, free: npt.NDArray[np.bool_]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Go to the minimum over the free variables; whichever meets its bound on the way is held there."""
    low, high = bounds
    x, free = x.copy(), free.copy()
    while free.any():
        wanted = x.copy()
        wanted[free] = np.linalg.lstsq(a[:, free], b - a[:, ~free] @ x[~free], rcond=None)[0]
        outside = free & ((wanted < low) | (wanted > high))
        if not outside.any():
            return wanted, free
        bound = np.where(wanted < low, low, high)
        moves = wanted - x
        share = np.where(outside, (bound - x) / np.where(outside, moves, 1.0), 1.0)
        first = int(np.argmin(share))
        x = np.clip(x + share[first] * np.where(free, moves, 0.0), low, high)
        x[first], free[first] = bound[first], False
    return x, free


def _linear(composition: Composition) -> tuple[Floats, Floats]:
    """Effects per strength, (n_vectors, n_traits), and each trait's unit: its own vector's effect."""
    effects = np.array([[cell.value for cell in row] for row in composition.effects])
    strengths = np.array([member.strength for member in composition.members])
    own = np.abs(np.diag(effects))
    return effects / (2 * strengths[:, None]), np.where(own > 0, own, 1.0)


def _problem(
    wanted: Mapping[str, float], composition: Composition, slopes: Floats, units: Floats
) -> "_Problem":
    names, members = composition.names, composition.members
    weights = np.where([name in wanted for name in names], _WANTED_WEIGHT, 1.0) / units
    target = np.array([wanted.get(name, 0.0) for name in names])
    # root.T @ root is the matrix of cosines, kept apart from 0 where vectors coincide.
    values, vectors = np.linalg.eigh(np.array(composition.cosines))
    return _Problem(
        effects=slopes.T * weights[:, None],
        target=target * weights,
        low=np.array([min(0.0, member.window[0]) for member in members]),
        high=np.array([max(0.0, member.window[1]) for member in members]),
        root=np.sqrt(np.maximum(values, _RIDGE))[:, None] * vectors.T,
    )


@dataclass(frozen=True, eq=False)
class _Problem:
    """Minimise |effects @ s - target|^2 + weight * |root @ s|^2 with low <= s <= high."""

    effects: Floats
    target: Floats
    low: Floats
    high: Floats
    root: Floats

    def within(self, most: float, weight: float) -> Floats:
        """With `weight` on the dose, or with as much more as keeps it within `most`.

        The multiplier of that constraint is found by bisection on a logarithmic scale, so the result is that
        of the constrained problem.
        """
        found = self._at(weight)
        if self.dose(found) <= most:
            return found
        low, high = np.log(weight), np.log(weight) + _LOG_RANGE
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            is_over = self.dose(self._at(float(np.exp(middle)))) > most
            low, high = (middle, high) if is_over else (low, middle)
        return self._at(float(np.exp(high)))

    def _at(self, weight: float) -> Floats:
        damped = np.concatenate([self.effects, np.sqrt(weight) * self.root])
        target = np.concatenate([self.target, np.zeros(len(self.root))])
        return bounded_least_squares(damped, target, self.low, self.high)

    def dose(self, strengths: Floats) -> float:
        """The squared norm of all that is added."""
        return float(np.square(self.root @ strengths).sum())
