"""The default method: the mean over pairs of positive minus negative, accumulated in float64.

Source: Contrastive Activation Addition, arXiv 2312.06681. Another method gets a file of its own beside this
one.
"""

import numpy as np
import numpy.typing as npt

from steering_core.extraction.activations import PooledBatch


class MeanDifference:
    """A running mean of differences (n_layers, d_model) and of residual norms (n_layers,)."""

    def __init__(self, n_layers: int, d_model: int) -> None:
        self.count = 0
        self._sum = np.zeros((n_layers, d_model), dtype=np.float64)
        self._norms = np.zeros(n_layers, dtype=np.float64)

    def add(self, batch: PooledBatch) -> None:
        """Take the pairs of one forward pass."""
        self._sum += (batch.positive.double() - batch.negative.double()).sum(0).cpu().numpy()
        self._norms += batch.norms.sum(0).cpu().numpy()
        self.count += len(batch.pairs)

    def directions(self) -> npt.NDArray[np.float64]:
        """(n_layers, d_model), the natural shift at each block."""
        return self._sum / max(1, self.count)

    def residual_norms(self) -> npt.NDArray[np.float64]:
        """(n_layers,), mean over pairs and poles."""
        return self._norms / max(1, self.count)
