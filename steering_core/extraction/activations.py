"""One streaming pass over pairs that reads pooled activations at every block.

Each row goes through the model once, without the LM head; only pooled vectors leave the forward pass, so
memory does not grow with the length of the texts. `extract` turns them into directions.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from steering_core.extraction.pooling import row_weights
from steering_core.models.blocks import base_model, decoder_blocks, hidden_of
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import EncodedPair

TOKEN_BUDGET = 4096

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Activations:
    """Pooled activations of pairs.

    Attributes:
        positive, negative: (n_pairs, n_layers, d_model) float32.
        residual_norms: (n_layers,) float64, mean over all rows of the mean norm at the positions that count.
    """

    positive: Vectors
    negative: Vectors
    residual_norms: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PooledBatch:
    """What one forward pass gave.

    Attributes:
        pairs: which pair each row belongs to; both poles of a pair are in one batch.
        positive, negative: (rows, n_layers, d_model) float32, on the model's device.
        norms: (rows, n_layers) float64, mean over the two poles.
    """

    pairs: tuple[int, ...]
    positive: Tensor
    negative: Tensor
    norms: Tensor


def collect_activations(lm: LanguageModel, pairs: Sequence[EncodedPair], pooling: str) -> Activations:
    """Read every pair and keep it all; for data sets that fit in memory, otherwise use `pooled_batches`."""
    n_layers, d_model = lm.identity.n_layers, lm.identity.d_model
    positive = np.zeros((len(pairs), n_layers, d_model), dtype=np.float32)
    negative = np.zeros_like(positive)
    norms = np.zeros(n_layers, dtype=np.float64)
    for batch in pooled_batches(lm, pairs, pooling):
        positive[list(batch.pairs)] = batch.positive.cpu().numpy()
        negative[list(batch.pairs)] = batch.negative.cpu().numpy()
        norms += batch.norms.sum(0).cpu().numpy()
    return Activations(positive, negative, norms / max(1, len(pairs)))


def pooled_batches(
    lm: LanguageModel, pairs: Sequence[EncodedPair], pooling: str, *, token_budget: int = TOKEN_BUDGET
) -> Iterator[PooledBatch]:
    """Forward passes over pairs of like length, padded on the right to at most `token_budget` tokens each.

    Causal attention never looks at what stands to the right, so a row reads the same in any batch.

    Args:
        pairs: no answer may be empty.
        pooling: `response_mean`, `answer_token` or `prompt_last`; not `auto`.
    """
    with torch.inference_mode():
        for batch in length_batches(
            [max(len(p.positive), len(p.negative)) for p in pairs], token_budget // 2
        ):
            yield _read(lm, [pairs[i] for i in batch], tuple(batch), pooling)


def length_batches(lengths: Sequence[int], token_budget: int) -> Iterator[list[int]]:
    """Row numbers, shortest first, cut so that rows x longest row stays within the budget (one row always
    fits).
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and lengths[i] * (len(batch) + 1) > token_budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """(rows, longest) token ids; a short row repeats its last token, which nothing before it can see."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *([row[-1]] * (longest - len(row)))] for row in rows])


def _read(
    lm: LanguageModel, pairs: Sequence[EncodedPair], index: tuple[int, ...], pooling: str
) -> PooledBatch:
    ids = padded([p.positive for p in pairs] + [p.negative for p in pairs]).to(lm.device)
    read, norm = torch.zeros(ids.shape), torch.zeros(ids.shape)
    for row, (pair, positive) in enumerate([(p, True) for p in pairs] + [(p, False) for p in pairs]):
        pooled, counted = row_weights(pair, pooling, positive=positive)
        read[row, : len(pooled)], norm[row, : len(counted)] = pooled, counted
    read, norm = read.to(lm.device), norm.to(lm.device)
    vectors: list[Tensor] = []
    norms: list[Tensor] = []

    def pool(module: nn.Module, inputs: Any, output: Any) -> None:
        hidden = hidden_of(output).float()
        vectors.append(torch.einsum("bt,btd->bd", read, hidden))
        norms.append((torch.linalg.vector_norm(hidden, dim=-1) * norm).sum(1).double())

    _forward(lm.model, ids, pool)
    n = len(pairs)
    stacked, per_row = torch.stack(vectors, dim=1), torch.stack(norms, dim=1)
    return PooledBatch(index, stacked[:n], stacked[n:], (per_row[:n] + per_row[n:]) / 2)


def _forward(model: nn.Module, ids: Tensor, hook: Callable[[nn.Module, Any, Any], None]) -> None:
    with ExitStack() as hooks:
        for block in decoder_blocks(model):
            hooks.callback(block.register_forward_hook(hook).remove)
        base_model(model)(input_ids=ids, use_cache=False)
