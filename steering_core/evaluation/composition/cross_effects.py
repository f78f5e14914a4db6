"""What each vector of a set does to the traits of the others, alone and in pairs; `retention` adds them up.

The cosines in a composition are a prior only: vectors at right angles may still disturb each other.
"""

from itertools import combinations

from steering_core.evaluation.composition.bench import Bench, Floats, Mix
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


def _swing(bench: Bench, i: int, j: int) -> Floats:
    name = bench.members[i].name
    return bench.change(j, bench.mix([name], -1), bench.mix([name]))
