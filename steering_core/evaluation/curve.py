"""The form of a dose-response curve: does the score rise with the strength, and how well does a rising curve
fit. Numpy only.

`response` makes the curve and judges it.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def spearman(strengths: Floats, means: Floats) -> float:
    """Rank correlation of two sequences, ties at their mean rank; 0 where one of them never changes."""
    one, other = _ranks(strengths), _ranks(means)
    one, other = one - one.mean(), other - other.mean()
    size = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / size if size else 0.0


def isotonic_r2(means: Floats) -> float:
    """The share of the variance that the best curve explains that never falls; 1 for a rising curve.

    0 where the curve never changes.
    """
    total = float(((means - means.mean()) ** 2).sum())
    left = float(((means - _isotonic(means)) ** 2).sum())
    return max(0.0, 1 - left / total) if total > 0 else 0.0


def _ranks(values: Floats) -> Floats:
    below = (values[:, None] > values[None, :]).sum(1)
    equal = (values[:, None] == values[None, :]).sum(1)
    ranks: Floats = below + (equal - 1) / 2
    return ranks


def _isotonic(values: Floats) -> Floats:
    """Least squares under order, by pooling neighbours until none falls (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values.tolist():
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (one, n), (other, m) = pools[-2:]
            pools[-2:] = [((one * n + other * m) / (n + m), n + m)]
    return np.repeat([mean for mean, _ in pools], [n for _, n in pools])
