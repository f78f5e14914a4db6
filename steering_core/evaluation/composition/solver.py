"""Strengths for effects that are wanted: within every window and the coherence budget, with the least
interference. Numpy only, so that a stored composition can be solved without its model.

`compose` measures again what the strengths found here do.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from steering_core.errors import EvaluationError
from steering_core.evaluation.composition.record import Composition, Solution

# Weight of the dose beside interference: small, so that it decides only where interference leaves a choice.
DOSE_WEIGHT = 0.01
# A wanted effect weighs so much more than an unwanted one that it is missed only where it cannot be had.
_WANTED_WEIGHT = 1e3
_BISECTIONS = 60

Floats = npt.NDArray[np.float64]


def solve(
    wanted: Mapping[str, float], composition: Composition, dose_weight: float = DOSE_WEIGHT
) -> Solution:
    """The strengths s that minimise |off-target effects|^2 + dose_weight * dose / budget, where effects are
    s_i * B[i][j] / (2 * strength_i), each in units of the trait's own effect.

    Subject to the wanted effects, to each window (0 is always allowed) and to the sum of s_i^2 being within
    the budget. Where the wanted effects cannot be had, those nearest to them, and what is missing.

    Args:
        wanted: change from the unsteered model, in the trait's own unit, by member.

    Raises:
        EvaluationError: `evaluation.wanted`: nothing wanted, a name that is no member, or not a number.
    """
    check_wanted(wanted, composition.names)
    members, names = composition.members, composition.names
    slopes = np.array(
        [
            [cell.value / (2 * member.strength) for cell in row]
            for member, row in zip(members, composition.effects, strict=True)
        ]
    )
    own = np.abs(np.diag(np.array([[cell.value for cell in row] for row in composition.effects])))
    units = np.where(own > 0, own, 1.0)
    target = np.array([wanted.get(name, 0.0) for name in names])
    weights = np.where([name in wanted for name in names], _WANTED_WEIGHT, 1.0) / units
    low = np.array([min(0.0, member.window[0]) for member in members])
    high = np.array([max(0.0, member.window[1]) for member in members])
    most = composition.budget.most
    strengths = _within_budget(
        slopes.T * weights[:, None], target * weights, (low, high), most, dose_weight / max(most, 1e-9)
    )
    predicted = strengths @ slopes
    unit = dict(zip(names, map(float, units), strict=True))
    short = {name: float(wanted[name] - predicted[names.index(name)]) for name in wanted}
    dose = float(strengths @ strengths)
    return Solution(
        wanted={name: float(value) for name, value in wanted.items()},
        strengths=tuple(map(float, strengths)),
        predicted=tuple(map(float, predicted)),
        missing={n: gap for n, gap in short.items() if abs(gap) > max(0.01 * abs(wanted[n]), 1e-3 * unit[n])},
        at_window=tuple(
            n for n, s, a, b in zip(names, strengths, low, high, strict=True) if s and s in (a, b)
        ),
        at_budget=bool(dose > most * (1 - 1e-3)),
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


def _within_budget(a: Floats, b: Floats, bounds: tuple[Floats, Floats], most: float, weight: float) -> Floats:
    """Bounded least squares with `weight` on the dose, and with as much more as keeps it within `most`.

    The multiplier of the constraint is found by bisection on a logarithmic scale, so the result is that of
    the constrained problem.
    """

    def at(weight: float) -> Floats:
        n = a.shape[1]
        damped = np.concatenate([a, np.sqrt(weight) * np.eye(n)])
        return bounded_least_squares(damped, np.concatenate([b, np.zeros(n)]), *bounds)

    found = at(weight)
    if found @ found <= most:
        return found
    low, high = np.log(weight), np.log(weight) + 60.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        tried = at(float(np.exp(middle)))
        low, high = (middle, high) if tried @ tried > most else (low, middle)
    return at(float(np.exp(high)))
