"""How coherence falls with the total dose of a mix: a fit that never rises, and the dose that it allows.

`solver` stays within it.
"""

from collections.abc import Sequence

import numpy as np

from steering_core.evaluation.composition.record import Budget

_STEPS = 1000


def fit_budget(doses: Sequence[float], coherence: Sequence[float], kept: float) -> Budget:
    """Isotonic regression of coherence on dose, a straight line between its points.

    Args:
        doses: squared norms of what each mix adds, with 0 among them.
        coherence: over that without steering, so 1 at dose 0.
        kept: the share that has to be kept.
    """
    # Not above: it takes a tenth of the time that a worker takes to start.
    from sklearn.isotonic import IsotonicRegression

    x, y = np.asarray(doses, dtype=np.float64), np.asarray(coherence, dtype=np.float64)
    fit = IsotonicRegression(increasing=False, out_of_bounds="clip").fit(x, y)
    knots = np.unique(x)
    fitted = fit.predict(knots)
    grid = np.linspace(0.0, knots[-1], _STEPS + 1)
    enough = np.interp(grid, knots, fitted) >= kept
    most = grid[-1] if enough.all() else grid[max(0, int(np.argmin(enough)) - 1)]
    return Budget(
        kept=kept,
        doses=tuple(map(float, knots)),
        coherence=tuple(map(float, fitted)),
        residual=float(np.sqrt(np.mean((y - fit.predict(x)) ** 2))),
        most=float(most),
    )
