"""One batch through the model: hooks pool inside the forward pass, which ends at the deepest block asked for.

Shared prefixes are computed once under a tree mask; in the deepest block the parts that work token by token
run at the positions that are read only. `reading` deals the batches and keeps what comes out.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from steering_core.extraction.batching import POSITIVE, Row, rows_of
from steering_core.models.load import LanguageModel
from steering_core.models.sites import read_site
from steering_core.spec import Place

Token = tuple[int, int]  # (row, index into the row's ids)

# Above this share of the tokens, picking positions costs more than it saves.
_TRIM_BELOW = 0.7
# Tokens of the prefix and of what follows it in either text.
_PROBE_LENGTHS = (5, 3, 4)
_PROBE_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError)
_FULL, _SLIDING = "full_attention", "sliding_attention"

# Whether a model computes trees exactly, as it was found by trying; never kept on the model itself.
_shares: "WeakKeyDictionary[nn.Module, bool]" = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Batch:
    """Token ids, and which of them are averaged into what.

    Attributes:
        ids: (rows, tokens), padded on the right.
        mask: (rows, 1, tokens, tokens), True where a token may attend; None for plain causal rows.
        positions: (rows, tokens) positions within the own text; None for plain causal rows.
        read: (n_read,) indices into the flattened ids, ascending.
        pooled: (n_pooled, n_read) weights, each row summing to 1.
        norms: (n_norms, n_read) weights for the residual norm, each row summing to 1.
    """

    ids: Tensor
    mask: Tensor | None
    positions: Tensor | None
    read: Tensor
    pooled: Tensor
    norms: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same, with ids and weights on a device; mask and positions follow when they are used."""
        moved = {name: getattr(self, name).to(device) for name in ("ids", "read", "pooled", "norms")}
        return replace(self, **moved)


def batch_of(
    rows: Sequence[Row],
    pooled: Sequence[Sequence[Token]],
    norms: Sequence[Sequence[Token]],
) -> Batch:
    """A batch in memory of the host.

    Args:
        pooled: for each vector to be read, the tokens that it is the mean of.
        norms: the same for each residual norm.
    """
    width = max(len(row.ids) for row in rows)
    # A short row repeats its last token, which nothing before it can see.
    ids = torch.tensor([[*row.ids, *([row.ids[-1]] * (width - len(row.ids)))] for row in rows])
    trees = len(rows[0].poles) == 2
    read = sorted({row * width + at for places in (*pooled, *norms) for row, at in places})
    column = {flat: i for i, flat in enumerate(read)}
    return Batch(
        ids,
        torch.stack([_tree_mask(row, width) for row in rows])[:, None] if trees else None,
        torch.stack([_tree_positions(row, width) for row in rows]) if trees else None,
        torch.tensor(read),
        *(_weights(part, width, column) for part in (pooled, norms)),
    )


def _weights(parts: Sequence[Sequence[Token]], width: int, column: Mapping[int, int]) -> Tensor:
    weights = torch.zeros(len(parts), len(column))
    for i, places in enumerate(parts):
        for row, at in places:
            weights[i, column[row * width + at]] = 1 / len(places)
    return weights


def _tree_positions(row: Row, width: int) -> Tensor:
    positions = torch.arange(width)
    positions[row.split :] += row.prefix - row.split
    # Pad tokens stay where the text ends: a model may have no further positions.
    return positions.clamp(max=row.n_positions - 1)


def _tree_mask(row: Row, width: int) -> Tensor:
    """Causal, but the second branch does not see the first; pad tokens see what stands before them."""
    mask = torch.ones(width, width, dtype=torch.bool).tril()
    mask[row.split :, row.prefix : row.split] = False
    return mask


class Forward:
    """A model that pools at some places while it runs.

    Args:
        places: (site, block), each once.
    """

    def __init__(self, lm: LanguageModel, places: Sequence[Place]) -> None:
        self.places = tuple(places)
        self.blocks = tuple(sorted({block for _, block in places}))
        self._lm, self._sites, self._device = lm, lm.sites, lm.device
        self._batch: Batch | None = None
        self._trims = False
        self._vectors: dict[Place, Tensor] = {}
        self._norms: dict[int, Tensor] = {}

    @contextmanager
    def hooked(self) -> Iterator["Forward"]:
        """Put the hooks in; they are gone when the block is left, also by an exception."""
        with ExitStack() as hooks:
            for module in self._sites.token_wise(self.blocks[-1]):
                hooks.callback(module.register_forward_pre_hook(self._pick).remove)
                hooks.callback(module.register_forward_hook(self._put_back).remove)
            for place in self.places:
                hooks.callback(self._sites.module(*place).register_forward_hook(self._reader(place)).remove)
            for block in self.blocks:  # behind the readers, since the deepest one ends the pass
                hook = self._norm_reader(block)
                hooks.callback(self._sites.blocks[block].register_forward_hook(hook).remove)
            yield self

    def run(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Read one batch.

        Returns:
            (n_pooled, n_places, d_model) and (n_norms, n_blocks), float32 on the host.
        """
        self._vectors, self._norms = {}, {}
        self._batch = batch.to(self._device)
        self._trims = len(batch.read) < _TRIM_BELOW * batch.ids.numel()
        try:
            with torch.inference_mode():
                self._sites.root(input_ids=self._batch.ids, use_cache=False, **self._tree_arguments(batch))
        except _DeepestReadError:
            pass
        finally:
            self._batch = None
        vectors = torch.stack([self._vectors[place].to(self._device) for place in self.places], dim=1)
        norms = torch.stack([self._norms[block].to(self._device) for block in self.blocks], dim=1)
        return vectors.cpu(), norms.cpu()

    def _reader(self, place: Place) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if (batch := self._batch) is not None:  # else somebody runs the model beside this pass
                picked = _picked(read_site(place[0], output), batch.read).float()
                self._vectors[place] = batch.pooled.to(picked.device) @ picked

        return hook

    def _norm_reader(self, block: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if (batch := self._batch) is None:
                return
            picked = _picked(output[0] if isinstance(output, tuple) else output, batch.read).float()
            # (n_read, d_model), or (n_read, streams, d_model) where the model keeps several residual streams
            lengths = torch.linalg.vector_norm(picked, dim=-1).reshape(len(picked), -1).mean(1)
            self._norms[block] = batch.norms.to(picked.device) @ lengths
            if block == self.blocks[-1]:
                raise _DeepestReadError

        return hook

    def _pick(self, module: nn.Module, args: Any) -> Any:
        """Only the positions that are read go into a module of the deepest block."""
        if self._batch is None or not self._trims:
            return None
        return _picked(args[0], self._batch.read)[None]

    def _put_back(self, module: nn.Module, args: Any, output: Any) -> Any:
        """The module's output in the shape that the block expects; other positions are zero, unread."""
        if self._batch is None or not self._trims:
            return None
        whole = output.new_zeros(self._batch.ids.numel(), output.shape[-1])
        whole[self._batch.read.to(output.device)] = output[0]
        return whole.view(*self._batch.ids.shape, -1)

    def _tree_arguments(self, batch: Batch) -> dict[str, Any]:
        if batch.mask is None or batch.positions is None:
            return {}
        config = self._lm.model.config.get_text_config()
        window = getattr(config, "sliding_window", None)
        kinds = set(getattr(config, "layer_types", None) or [_SLIDING if window else _FULL])
        masks = {kind: _allowed(batch.mask, batch.positions, kind, window) for kind in kinds}
        added = {kind: _additive(mask, self._lm.model.dtype).to(self._device) for kind, mask in masks.items()}
        mask = added if len(added) > 1 else next(iter(added.values()))
        return {"attention_mask": mask, "position_ids": batch.positions.to(self._device)}


class _DeepestReadError(Exception):
    """Ends a forward pass: the deepest block that is read has been read."""


def shares_prefixes(lm: LanguageModel) -> bool:
    """Whether this model reads two texts in one tree as it reads them apart; found by trying, once a model.

    Recurrent layers, attention that takes no mask of four dimensions, and positions that are not taken from
    `position_ids` make it fail; then nothing is shared.
    """
    if lm.model not in _shares:
        plain = lm.sites.streams == 1 and not lm.sites.right_padding_only
        _shares[lm.model] = plain and _probe(lm)
    return _shares[lm.model]


def _probe(lm: LanguageModel) -> bool:
    # All different: two equal tokens could hide that one was read in the place of the other.
    drawn = torch.randperm(lm.vocab_size, generator=torch.Generator().manual_seed(0))[: sum(_PROBE_LENGTHS)]
    prefix, *rests = (part.tolist() for part in torch.split(drawn, list(_PROBE_LENGTHS)))
    texts = [prefix + rest for rest in rests]
    places = [("resid_post", block) for block in range(len(lm.sites.blocks))]
    try:
        with Forward(lm, places).hooked() as forward:
            (tree,) = rows_of(0, *texts, share=True)
            together = _read_tokens(forward, tree, texts)
            alone = (Row(tuple(text), 0, len(text), 0, (POSITIVE,)) for text in texts)
            apart = torch.cat(
                [_read_tokens(forward, row, [text]) for row, text in zip(alone, texts, strict=True)]
            )
    except _PROBE_ERRORS:
        return False
    off = (together - apart).norm(dim=-1) / apart.norm(dim=-1)
    allowed = math.sqrt(torch.finfo(lm.model.dtype).eps) / 2
    return bool(torch.isfinite(off).all() and (off <= allowed).all())


def _read_tokens(forward: Forward, row: Row, texts: Sequence[Sequence[int]]) -> Tensor:
    """Every token of every text of a row, (tokens, n_places, d_model)."""
    each = [[(0, row.place(branch, i))] for branch, text in enumerate(texts) for i in range(len(text))]
    return forward.run(batch_of([row], each, each))[0]


def _picked(hidden: Tensor, read: Tensor) -> Tensor:
    return hidden.flatten(0, 1)[read.to(hidden.device)]


def _allowed(mask: Tensor, positions: Tensor, kind: str, window: int | None) -> Tensor:
    """The tree's mask for one kind of layer.

    Raises:
        ValueError: a kind of layer for which no mask is known; the probe then says no.
    """
    if kind == _FULL:
        return mask
    if kind != _SLIDING or window is None:
        raise ValueError(f"no tree mask for {kind}")
    here = positions[:, None]
    return mask & (here[..., :, None] - here[..., None, :] < window)


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where a token may attend, the lowest number elsewhere: both sdpa and eager attention take it."""
    return torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)
