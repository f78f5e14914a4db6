"""Ridge regression from sums alone, so that memory does not grow with the number of tokens.

`migration` fits the map between two models' streams with it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

# In units of the mean variance of an input.
PENALTIES = (1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class Moments:
    """Sums over rows of inputs (n, d_in) and outputs (n, d_out), in float64."""

    def __init__(self, d_in: int, d_out: int) -> None:
        self.n = 0
        self._x, self._y = torch.zeros(d_in, dtype=torch.float64), torch.zeros(d_out, dtype=torch.float64)
        self._xx = torch.zeros(d_in, d_in, dtype=torch.float64)
        self._xy = torch.zeros(d_in, d_out, dtype=torch.float64)
        self._yy = 0.0

    def add(self, x: Tensor, y: Tensor) -> None:
        """Take in rows."""
        x, y = x.double(), y.double()
        self.n += len(x)
        self._x += x.sum(0)
        self._y += y.sum(0)
        self._xx += x.T @ x
        self._xy += x.T @ y
        self._yy += float(y.square().sum())

    def __add__(self, other: "Moments") -> "Moments":
        both = Moments(len(self._x), len(self._y))
        for name in ("n", "_x", "_y", "_xx", "_xy", "_yy"):
            setattr(both, name, getattr(self, name) + getattr(other, name))
        return both

    @property
    def means(self) -> tuple[Tensor, Tensor]:
        """Of inputs and outputs."""
        return self._x / self.n, self._y / self.n

    def about(self, x0: Tensor, y0: Tensor) -> tuple[Tensor, Tensor, float]:
        """Second moments about a point: (d_in, d_in), (d_in, d_out), and the outputs' sum of squares."""
        n = self.n
        xx = self._xx - torch.outer(self._x, x0) - torch.outer(x0, self._x) + n * torch.outer(x0, x0)
        xy = self._xy - torch.outer(self._x, y0) - torch.outer(x0, self._y) + n * torch.outer(x0, y0)
        return xx, xy, self._yy - 2 * float(self._y @ y0) + n * float(y0 @ y0)


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted map.

    Attributes:
        weights: (d_in, d_out) float64; y - mean(y) is about (x - mean(x)) @ weights.
        penalty: in units of the mean variance of an input.
        r2: share of the outputs' variance that was predicted on rows that neither fitted the map nor chose
            its penalty.
    """

    weights: Tensor
    penalty: float
    r2: float


def fit_ridge(fitted: Moments, choosing: Moments, held_out: Moments) -> Ridge:
    """Fitted on the first rows, its penalty chosen on the second, R² measured on the third; then fitted on
    all.
    """
    solver = _Solver(fitted)
    penalty = max(PENALTIES, key=lambda penalty: r2(choosing, solver.weights(penalty), fitted))
    found = r2(held_out, solver.weights(penalty), fitted)
    return Ridge(_Solver(fitted + choosing + held_out).weights(penalty), penalty, found)


def r2(rows: Moments, weights: Tensor, fitted: Moments) -> float:
    """Share of the outputs' variance within `rows` that a map of `fitted` predicts; below 0 is worse than
    the rows' own mean.
    """
    xx, xy, yy = rows.about(*fitted.means)
    missed = yy - 2 * float((weights * xy).sum()) + float((weights * (xx @ weights)).sum())
    return 1 - missed / rows.about(*rows.means)[2]


class _Solver:
    """Solves for any penalty from one decomposition."""

    def __init__(self, rows: Moments) -> None:
        xx, xy, _ = rows.about(*rows.means)
        self._values, self._axes = torch.linalg.eigh(xx)
        self._xy = self._axes.T @ xy

    def weights(self, penalty: float) -> Tensor:
        """(d_in, d_out)."""
        values = self._values.clamp(min=0) + penalty * self._values.mean()
        weights: Tensor = self._axes @ (self._xy / values[:, None])
        return weights
