"""An interval for a change of a share, measured twice on the same items. Standard library only.

`screen` asks with it how many more requests are answered, or refused, under steering than without.
"""

import math
from statistics import NormalDist

from steering_core.evaluation.statistics import Interval

TAIL = 0.025
_HALVINGS = 50


def change_interval(gained: int, lost: int, n: int, *, low_tail: float = TAIL) -> Interval:
    """Score interval of (gained - lost) / n.

    At a change of 0 the score is McNemar's. Unlike that of Wald it says something where nothing changed: 0 of
    100 leaves up to 3.7 points.

    Args:
        gained, lost: items that have the property the second time only, and the first time only.
        low_tail: chance, at most, that the lower end lies above the truth; that of the upper end is 2.5 %.
    Source: Tango 1998, Statistics in Medicine 17, 891-908.
    """
    low = _root(gained, lost, n, NormalDist().inv_cdf(1 - low_tail))
    return low, _root(gained, lost, n, -NormalDist().inv_cdf(1 - TAIL))


def _root(gained: int, lost: int, n: int, wanted: float) -> float:
    """The change at which the score, which falls with it, is `wanted`."""
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(gained, lost, n, middle) > wanted else (low, middle)
    return (low + high) / 2


def _score(gained: int, lost: int, n: int, change: float) -> float:
    """How far what was seen lies above a change, in the standard errors that hold if it is the true one."""
    b = (2 * n - gained + lost) * change - gained - lost
    c = -lost * change * (1 - change)
    share_lost = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * share_lost + change * (1 - change))
    above = gained - lost - n * change
    if variance > 0:
        return above / math.sqrt(variance)
    return math.copysign(math.inf, above) if above else 0.0
