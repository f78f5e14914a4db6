"""Quantiles that intervals need: beta and Student's t. Standard library only, so that scipy is not needed.

`statistics` uses them; the tests hold them against published tables.
"""

import math
from collections.abc import Callable
from functools import lru_cache

_TINY = 1e-300
_CONVERGED = 1e-15


def beta_cdf(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b), for a and b above 0.

    Source: continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions, by Lentz.
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side only
        return 1 - beta_cdf(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / a * _fraction(x, a, b)


def beta_quantile(share: float, a: float, b: float) -> float:
    """The x with `beta_cdf(x, a, b)` = `share`."""
    return _solve(lambda x: beta_cdf(x, a, b), share)


@lru_cache(maxsize=256)
def t_quantile(share: float, degrees: int) -> float:
    """Quantile of Student's t, for a share above one half."""
    x = beta_quantile(2 * (1 - share), degrees / 2, 0.5)
    return math.sqrt(degrees * (1 / x - 1))


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value, m = d, 0
    while m < 10_000:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        factor = 1.0
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            factor *= c * d
        value *= factor
        if abs(factor - 1) < _CONVERGED:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _solve(increasing: Callable[[float], float], target: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(200):  # as many halvings as a quantile next to 0 may need
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if increasing(middle) < target else (low, middle)
    return (low + high) / 2
