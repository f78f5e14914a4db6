"""The Muon optimizer in float32, for the matrices of a small model on a CPU."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Brings the singular values of (..., rows, columns) matrices near one, by Newton-Schulz steps."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x: torch.Tensor = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised; `torch.optim.Muon` does so in bfloat16, slow on many CPUs.

    Source: Keller Jordan, "Muon" (kellerjordan.github.io/posts/muon); the 0.2 sqrt(max side) scale of
    Liu et al. 2025 (arXiv 2502.16982), which lets it share a learning rate with AdamW.
    """

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.05,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One update; matrices of equal shape are orthogonalised together."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[tuple[torch.Tensor, torch.Tensor]]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    mean = self.state[parameter].setdefault("mean", torch.zeros_like(parameter))
                    mean.lerp_(parameter.grad, 1 - group["momentum"])
                    update = parameter.grad.lerp(mean, group["momentum"])
                    by_shape.setdefault(parameter.shape, []).append((parameter, update))
            for shape, entries in by_shape.items():
                updates = orthogonalise(torch.stack([update for _, update in entries]))
                scale = -0.2 * group["lr"] * max(shape[-2:]) ** 0.5
                for (parameter, _), update in zip(entries, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=scale)
