"""How much of each vector's effect is left as more of them are on, and how many a set can carry.

How many is measured for every set: nothing in the literature supports a constant.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Literal

import numpy as np

from steering_core.evaluation.composition.bench import Bench, Mix, Tell
from steering_core.evaluation.composition.record import RETAINED, Budget, Curve, Estimate, Mode, Point

_ROUNDING = 1e-9

Names = tuple[str, ...]


def greedy_chain(bench: Bench, tell: Tell) -> list[Names]:
    """The sets from one vector to all of them, each with the next vector that leaves most of the others.

    Measured, not predicted: all pairs are tried, then each vector beside the best pair, and so on.
    """
    names = [member.name for member in bench.members]
    candidates: list[Names] = list(combinations(names, 2))
    chain: list[Names] = []
    while candidates:
        bench.measure([mix for on in candidates for mix in both_signs(bench, on, 1.0)], lambda fraction: None)
        best = max(candidates, key=lambda on: margin(bench, on))
        if not chain:
            chain.append(max(((name,) for name in best), key=lambda on: margin(bench, on)))
        chain.append(best)
        candidates = [ordered(bench, (*best, name)) for name in names if name not in best]
        tell(len(chain) / len(names))
    return chain


def margin(bench: Bench, on: Names) -> float:
    """How far a set is above the limits of retention and coherence, of which the nearer counts; 1 is on it.

    Retention counts by its lower bound where there is one, and minus infinity where a vector has no effect
    alone.
    """
    whole = worse_coherence(bench, on, 1.0).value / bench.kept
    kept = [_bound(one) for one in retained(bench, on, 1.0, bench)]
    return min(whole, min(kept) / RETAINED)


def ordered(bench: Bench, on: Iterable[str]) -> Names:
    """The names in the order of the members, so that a set is the same however it came about."""
    chosen = set(on)
    return tuple(member.name for member in bench.members if member.name in chosen)


def random_orders(names: Sequence[str], n: int, seed: int) -> list[Names]:
    """At most n different ones; fewer where there are not so many."""
    rng = np.random.default_rng(seed)
    wanted = min(n, math.factorial(len(names)))
    orders: dict[Names, None] = {}
    while len(orders) < wanted:
        orders.setdefault(tuple(names[i] for i in rng.permutation(len(names))))
    return list(orders)


def prefixes(bench: Bench, order: Names) -> Iterator[Names]:
    """The sets that an order goes through."""
    for k in range(1, len(order) + 1):
        yield ordered(bench, order[:k])


def scale_of(mode: Mode, n: int) -> float:
    """What the strengths are multiplied by: `equal_dose` keeps the dose that of one vector, if all
    are at right angles.
    """
    return 1 / math.sqrt(n) if mode == "equal_dose" else 1.0


def both_signs(bench: Bench, on: Names, scale: float) -> tuple[Mix, Mix]:
    """All of them at minus and at plus their strengths."""
    return bench.mix(on, -scale), bench.mix(on, scale)


def retained(bench: Bench, on: Names, scale: float, alone: Bench) -> list[Estimate | None]:
    """For each that is on: its trait's change from all at minus to all at plus, over that of it alone.

    Args:
        bench: has measured both signs of the set.
        alone: has measured each by itself at its full strength; the same bench unless the vectors differ.
    """
    minus, plus = both_signs(bench, on, scale)
    indexes = [j for j, member in enumerate(bench.members) if member.name in on]
    swings = (alone.change(j, *both_signs(alone, (bench.members[j].name,), 1.0)) for j in indexes)
    return [
        bench.ratio(j, bench.change(j, minus, plus), swing) for j, swing in zip(indexes, swings, strict=True)
    ]


def worse_coherence(bench: Bench, on: Names, scale: float) -> Estimate:
    """Of the worse of the two signs."""
    return min((bench.coherence(mix) for mix in both_signs(bench, on, scale)), key=lambda one: one.value)


def point(bench: Bench, on: Names, scale: float, alone: Bench) -> Point:
    """What is left with these on; the arguments are those of `retained`."""
    minus, plus = both_signs(bench, on, scale)
    nats = [bench.nats(mix) for mix in (minus, plus)]
    return Point(
        members=on,
        scale=scale,
        dose=bench.dose(plus),
        retention=tuple(retained(bench, on, scale, alone)),
        coherence=worse_coherence(bench, on, scale),
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
    if one.coherence.value < budget.kept or one.dose > budget.most + _ROUNDING:
        return False
    if by_bound and any(kept is None or kept.low is None for kept in one.retention):
        return False
    return min(map(_bound, one.retention)) >= RETAINED if by_bound else one.least >= RETAINED


def _bound(kept: Estimate | None) -> float:
    """The lower bound, or the value where there is no interval."""
    return -math.inf if kept is None else kept.value if kept.low is None else kept.low
