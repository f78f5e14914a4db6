"""How a steering vector changes hidden states: one function per operation.

`hidden` is (batch, tokens, d_model). What is applied broadcasts against it: (d_model,) or (1, 1, d_model) for
all rows, (batch, 1, d_model) for each its own. `on` is where: None everywhere, else ones and zeros of shape
(batch or 1, tokens or 1, 1) in the dtype of `hidden`. Nothing is written in place, and dtypes are the
caller's: `hooks` rounds and says why.
"""

import torch
from torch import Tensor


def add(hidden: Tensor, on: Tensor | None, addition: Tensor) -> Tensor:
    """h + v; one operation, also at some positions only."""
    return hidden + addition if on is None else torch.addcmul(hidden, on, addition)


def add_keeping_norm(hidden: Tensor, on: Tensor | None, addition: Tensor) -> Tensor:
    """(h + v) |h| / |h + v|; a sum of norm zero stays zero."""
    moved = add(hidden, on, addition)
    norm = torch.linalg.vector_norm(moved, dim=-1, keepdim=True)
    scale = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True) / norm.clamp_min(_least(norm))
    kept = moved * scale
    return kept if on is None else torch.where(on > 0, kept, hidden)


def project(hidden: Tensor, on: Tensor | None, unit: Tensor, share: Tensor) -> Tensor:
    """h - s (h·u) u.

    Args:
        unit: (1 or batch, 1, d_model) of norm 1.
        share: (1 or batch, 1, 1); 1 removes the component along u, 2 reflects it, a negative one amplifies.
    """
    return torch.addcmul(hidden, -_shared(share, on) * _along(hidden, unit), unit)


def clamp(
    hidden: Tensor, on: Tensor | None, unit: Tensor, share: Tensor, low: Tensor, high: Tensor
) -> Tensor:
    """h + s (clip(h·u, low, high) - h·u) u.

    Args:
        unit: (1 or batch, 1, d_model) of norm 1.
        share: (1 or batch, 1, 1), of the way into the interval.
        low, high: (1 or batch, 1, 1), in the unit of `hidden`; equal for a set point.
    """
    along = _along(hidden, unit)
    return torch.addcmul(hidden, _shared(share, on) * (along.clamp(low, high) - along), unit)


def _along(hidden: Tensor, unit: Tensor) -> Tensor:
    """h·u, (batch, tokens, 1)."""
    return hidden @ unit.transpose(-1, -2)


def _shared(share: Tensor, on: Tensor | None) -> Tensor:
    return share if on is None else share * on


def _least(norm: Tensor) -> float:
    return torch.finfo(norm.dtype).tiny
