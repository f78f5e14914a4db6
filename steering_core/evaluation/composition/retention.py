"""How much of each vector's effect is left as more of them are on, and how many a set can carry.

How many is measured for every set: nothing in the literature supports a constant.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal

import numpy as np

from steering_core.evaluation.composition.bench import Bench, Floats, Mix
from steering_core.evaluation.composition.record import Budget, Curve, Estimate, Mode, Point

RETAINED = 0.7

Names = tuple[str, ...]


def greedy_order(bench: Bench, effects: Sequence[Sequence[Estimate]]) -> Names:
    """The order that keeps retention and coherence high as the set grows, as far as one can tell beforehand.

    Retention is predicted from single vectors, as if effects added up: sum of B[i][j] over the set / B[j][j];
    coherence from pairs, as if their losses added up. What of the two is nearer to its limit counts. Each
    vector is tried as the first.
    """
    names = [member.name for member in bench.members]
    lost = np.zeros((len(names), len(names)))
    for i, j in combinations(range(len(names)), 2):
        lost[i, j] = max(0.0, 1 - bench.coherence(bench.mix((names[i], names[j]))).value)
    values = np.array([[cell.value for cell in row] for row in effects])
    return tuple(names[i] for i in grown(values, lost, bench.kept))


def grown(effects: Floats, lost: Floats, kept: float) -> list[int]:
    """The order in which the predicted margin falls least.

    Args:
        effects: (n, n), of vectors on traits.
        lost: (n, n), above the diagonal the coherence that two vectors cost together.
        kept: the share of coherence that has to be kept.
    """
    n, own = len(effects), np.diag(effects)
    relative = np.where(own > 0, effects / np.where(own > 0, own, 1.0), -1.0)

    def margin(on: Sequence[int]) -> float:
        chosen = np.ix_(on, on)
        least, whole = float(relative[chosen].sum(0).min()), 1 - float(lost[chosen].sum())
        return min(min(1.0, least) / RETAINED, whole / kept)

    def order_from(first: int) -> list[int]:
        order = [first]
        while len(order) < n:
            order.append(
                max((i for i in range(n) if i not in order), key=lambda i: margin(sorted([*order, i])))
            )
        return order

    orders = map(order_from, range(n))
    return max(orders, key=lambda order: sum(margin(sorted(order[:k])) for k in range(1, n + 1)))


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
    """What the strengths are multiplied by: `equal_dose` keeps the dose that of one vector, if all
    are at right angles.
    """
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
        dose=bench.dose(plus),
        retention=tuple(retention),
        coherence=min((bench.coherence(mix) for mix in (minus, plus)), key=lambda c: c.value),
        nats=None if None in nats else max(n for n in nats if n is not None),
    )


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
