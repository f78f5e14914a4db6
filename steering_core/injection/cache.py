"""A key-value cache that grows by doubling instead of copying itself at every token.

Only plain full-attention layers are replaced; sliding-window and other layers stay transformers' own. Used by
`generate`.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from steering_core.injection.watch import Share


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values (batch, heads, tokens, d_head) as views of buffers with room to spare."""

    def __init__(self, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._room = room
        self._length = 0
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append the new tokens and return all of them."""
        end = self._length + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if self._buffers is None or end > self._buffers[0].shape[-2]:
            self._grow(key_states, value_states, end)
        keys, values = self._buffers  # type: ignore[misc]
        keys[..., self._length : end, :] = key_states
        values[..., self._length : end, :] = value_states
        self._length = end
        self.keys, self.values = keys[..., :end, :], values[..., :end, :]
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep these rows, in this order."""
        if self._buffers is not None:
            rows = beam_idx.to(self._buffers[0].device)
            self._buffers = (self._buffers[0][rows], self._buffers[1][rows])
            self.keys = self._buffers[0][..., : self._length, :]
            self.values = self._buffers[1][..., : self._length, :]

    def _grow(self, key_states: Tensor, value_states: Tensor, end: int) -> None:
        room = max(self._room, 2 * end) if self._buffers is not None else max(self._room, end)
        grown = tuple(t.new_empty((*t.shape[:-2], room, t.shape[-1])) for t in (key_states, value_states))
        if self._buffers is not None:
            for new, old in zip(grown, self._buffers, strict=True):
                new[..., : self._length, :] = old[..., : self._length, :]
        self._buffers = (grown[0], grown[1])


def growing_cache(model: PreTrainedModel, room: int, share: Share | None = None) -> DynamicCache:
    """An empty cache for one batch, with room for `room` tokens before it grows.

    Args:
        share: what the batch is of a longer list of rows, for what is steered row by row.
    """
    cache = DynamicCache(config=model.config)
    cache.layers = [GrowingLayer(room) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    cache.share = share  # type: ignore[attr-defined]
    return cache


def keep_rows(cache: DynamicCache, rows: Tensor) -> None:
    """Drop every row of the batch but these.

    Reordering may leave rows out too: it is what every kind of layer implements for all that it keeps, while
    DeepSeek-V4's forget their compressor when rows are selected. Steering follows it.
    """
    with torch.inference_mode():
        cache.reorder_cache(rows)  # type: ignore[arg-type]
