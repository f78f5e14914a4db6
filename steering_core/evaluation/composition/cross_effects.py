"""What each vector of a set does to the traits of the others, alone and in pairs.

The cosines beside it are a prior: vectors at right angles may still disturb each other.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from steering_core.evaluation.composition.bench import Bench, Member, Mix
from steering_core.evaluation.composition.record import Estimate


def cross_mixes(bench: Bench) -> list[Mix]:
    """Every vector alone at both signs, and every two of them at plus."""
    names = [member.name for member in bench.members]
    alone = [bench.mix([name], sign) for name in names for sign in (-1, 1)]
    return alone + [bench.mix(pair) for pair in combinations(names, 2)]


def effects(bench: Bench) -> tuple[tuple[Estimate, ...], ...]:
    """B[i][j]: change of trait j as vector i goes from minus to plus its strength."""
    k = range(len(bench.members))
    return tuple(tuple(bench.mean(j, _swing(bench, i, j)) for j in k) for i in k)


def relative_effects(bench: Bench) -> tuple[tuple[Estimate | None, ...], ...]:
    """B[i][j] / B[j][j]; None in the column of a trait that its own vector does not raise."""
    k = range(len(bench.members))
    return tuple(tuple(bench.ratio(j, _swing(bench, i, j), _swing(bench, j, j)) for j in k) for i in k)


def interactions(bench: Bench) -> tuple[tuple[Estimate, ...], ...]:
    """I[i][j]: trait j with vectors i and j on, minus with j alone; 0 on the diagonal."""
    names = [member.name for member in bench.members]
    k = range(len(names))
    return tuple(
        tuple(
            bench.mean(j, bench.change(j, bench.mix([names[j]]), bench.mix([names[i], names[j]]))) for j in k
        )
        for i in k
    )


def cosines(members: Sequence[Member]) -> tuple[tuple[float, ...], ...]:
    """Between what the vectors add to the residual stream at equal strength, over all their places."""
    added = np.array(
        [sum(m.vector.addition(1.0, key).astype(np.float64) for key in m.vector.directions) for m in members]
    )
    units = added / np.maximum(np.linalg.norm(added, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return tuple(tuple(map(float, row)) for row in units @ units.T)


def _swing(bench: Bench, i: int, j: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    name = bench.members[i].name
    return bench.change(j, bench.mix([name], -1), bench.mix([name]))
