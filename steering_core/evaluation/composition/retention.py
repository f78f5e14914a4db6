"""How much of each vector's effect is left as more of them are on, and how many a set can carry.

How many is measured for every set: nothing in the literature supports a constant.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from steering_core.evaluation.composition.bench import Bench, Mix
from steering_core.evaluation.composition.record import Budget, Curve, Estimate, Mode, Point

RETAINED = 0.7

Names = tuple[str, ...]


def greedy_order(names: Sequence[str], effects: Sequence[Sequence[Estimate]]) -> Names:
    """The order that keeps the least predicted retention high as the set grows.

    Predicted from single vectors, as if effects added up: sum of B[i][j] over the set / B[j][j]. Each vector
    is tried as the first; of these orders the one with the highest sum of the minima is taken.
    """
    values = np.array([[cell.value for cell in row] for row in effects])
    own = np.where(np.diag(values) > 0, np.diag(values), math.nan)
    relative = np.where(np.isfinite(own), values / own, -1.0)
    orders = [_grown(first, relative) for first in range(len(names))]
    best = max(orders, key=lambda order: sum(_least(order[:k], relative) for k in range(1, len(order) + 1)))
    return tuple(names[i] for i in best)


def random_orders(names: Sequence[str], n: int, seed: int) -> list[Names]:
    """At most n different ones; fewer where there are not so many."""
    rng = np.random.default_rng(seed)
    wanted = min(n, math.factorial(len(names)))
    orders: dict[Names, None] = {}
    while len(orders) < wanted:
        orders.setdefault(tuple(names[i] for i in rng.permutation(len(names))))
    return list(orders)


def prefixes(bench: Bench, order: Names) -> Iterator[Names]:
    """The sets that an order goes through, each in the bench's own order."""
    for k in range(1, len(order) + 1):
        yield tuple(m.name for m in bench.members if m.name in order[:k])


def scale_of(mode: Mode, n: int) -> float:
    """What the strengths are multiplied by: `equal_dose` keeps the sum of their squares that of one."""
    return 1 / math.sqrt(n) if mode == "equal_dose" else 1.0


def both_signs(bench: Bench, on: Names, scale: float) -> tuple[Mix, Mix]:
    """All of them at minus and at plus their strengths."""
    return bench.mix(on, -scale), bench.mix(on, scale)


def point(bench: Bench, on: Names, scale: float, alone: Bench) -> Point:
    """What is left with these on.

    Args:
        bench: has measured both signs of the set.
        alone: has measured each by itself at its full strength; the same bench unless the vectors differ.
    """
    minus, plus = both_signs(bench, on, scale)
    retention = []
    for name in on:
        j = next(j for j, member in enumerate(bench.members) if member.name == name)
        swing = alone.change(j, *both_signs(alone, (name,), 1.0))
        retention.append(bench.ratio(j, bench.change(j, minus, plus), swing))
    nats = [bench.nats(mix) for mix in (minus, plus)]
    return Point(
        members=on,
        scale=scale,
        dose=dose_of(plus),
        retention=tuple(retention),
        coherence=min((bench.coherence(mix) for mix in (minus, plus)), key=lambda c: c.value),
        nats=None if None in nats else max(n for n in nats if n is not None),
    )


def dose_of(mix: Sequence[float]) -> float:
    """The sum of the squared strengths, to nine decimals, so that equal mixes have equal doses."""
    return round(float(np.square(mix).sum()), 9)


def curve(mode: Mode, order: Literal["greedy", "worst"], points: Sequence[Point], budget: Budget) -> Curve:
    """The points with how many vectors they allow."""
    return Curve(
        mode,
        order,
        tuple(points),
        max_axes=_run(points, budget, by_bound=False),
        max_axes_shown=_run(points, budget, by_bound=True),
    )


def _run(points: Sequence[Point], budget: Budget, *, by_bound: bool) -> int:
    """How many points from the first on keep the limits."""
    for k, one in enumerate(points):
        if not _is_kept(one, budget, by_bound=by_bound):
            return k
    return len(points)


def _is_kept(one: Point, budget: Budget, *, by_bound: bool) -> bool:
    for estimate in one.retention:
        kept = None if estimate is None else estimate.low if by_bound else estimate.value
        if kept is None or kept < RETAINED:
            return False
    return one.coherence.value >= budget.kept and one.dose <= budget.most + 1e-9


def _grown(first: int, relative: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> list[int]:
    order = [first]
    while len(order) < len(relative):
        rest = [i for i in range(len(relative)) if i not in order]
        order.append(max(rest, key=lambda i: _least([*order, i], relative)))
    return order


def _least(on: Sequence[int], relative: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> float:
    return float(relative[np.ix_(on, on)].sum(0).min())
