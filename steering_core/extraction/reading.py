"""The one pass: every pair through the model once, every place and pooling into one statistics file.

    reading = Reading(("resid_post",), all_blocks(lm), ("response_mean",))
    statistics = read_activations(lm, pairs, reading, file)

`batching` says which tokens go together, `forward` runs them, `statistics` keeps the rows and `derive` makes
directions of them.
"""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from steering_core.errors import ExtractionError
from steering_core.extraction.batching import Budget, Row, batches, rows_of
from steering_core.extraction.forward import Batch, Forward, batch_of, shares_prefixes
from steering_core.extraction.pooling import norm_positions, read_positions
from steering_core.extraction.statistics import (
    POLES,
    Labels,
    Reading,
    Statistics,
    StatisticsWriter,
    write_statistics,
)
from steering_core.models.dtypes import dtype_name
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import EncodedPair
from steering_core.spec import site_key

# On a CPU small batches pad less and cost little, down to where reading the weights takes longer than using
# them; a GPU has to be filled.
CPU_BUDGET = Budget(tokens=512, min_tokens=96)
GPU_BUDGET = Budget(tokens=16_384, min_tokens=4096)

Progress = Callable[[float], None]


def all_blocks(lm: LanguageModel) -> tuple[int, ...]:
    """Every block index of a model."""
    return tuple(range(lm.identity.n_layers))


def unlabelled(n_pairs: int) -> Labels:
    """Labels for pairs of which nothing is known: all train, each a group of its own."""
    keys = np.zeros((n_pairs, 32), np.uint8)
    keys[:, :8] = np.arange(n_pairs, dtype="<u8").view(np.uint8).reshape(-1, 8)
    return Labels(np.arange(n_pairs), np.zeros(n_pairs, np.uint8), keys)


def read_activations(
    lm: LanguageModel,
    pairs: Sequence[EncodedPair],
    reading: Reading,
    file: Path,
    *,
    labels: Labels | None = None,
    dataset_digest: str = "",
    progress: Progress | None = None,
    budget: Budget | None = None,
) -> Statistics:
    """Read pairs and write what was read to a file.

    The model runs without its LM head and no further than the deepest block read. What the two texts of a
    pair begin with is computed once where the model allows it. A row reads the same in any batch. If memory
    runs out, the batch is halved, and the ones behind it too.

    Args:
        pairs: no answer may be empty.
        reading: `auto` is no pooling here; see `pooling.resolve_poolings`.
        progress: told the fraction of tokens done; what it raises passes through, and no file is left.
        budget: how large a batch may be; by the device if None.

    Raises:
        ExtractionError: a single row does not fit in memory.
        ModelError: the model has no such site or block.
    """
    budget = budget or _budget(lm)
    share = shares_prefixes(lm)
    turns = "next_turn" in reading.poolings
    rows = [row for i, pair in enumerate(pairs) for row in _rows(i, pair, turns=turns, share=share)]
    labels = labels or unlabelled(len(pairs))
    origin = (dataset_digest, dtype_name(lm.model.dtype))
    with write_statistics(file, lm.identity, reading, labels, *origin) as writer:
        kept = _Kept(writer, pairs, reading)
        with Forward(lm, reading.places).hooked() as forward:
            _read_all(forward, rows, kept, budget, progress or (lambda fraction: None))
        writer.put("norms", 0, kept.norms)
    return Statistics(file)


def _read_all(
    forward: Forward, rows: Sequence[Row], kept: "_Kept", budget: Budget, progress: Progress
) -> None:
    waiting = deque(batches(rows, budget))
    total, done, most = sum(len(row.ids) for row in rows), 0, len(rows)
    while waiting:
        batch = waiting.popleft()
        if len(batch) > most:
            waiting.extendleft((batch[most:], batch[:most]))
            continue
        try:
            kept.take(batch, *forward.run(kept.batch(batch)))
        except torch.OutOfMemoryError as error:
            most = _halved(batch, error)
            waiting.appendleft(batch)
            continue
        done += sum(len(row.ids) for row in batch)
        progress(done / total)


def _halved(batch: Sequence[Row], error: torch.OutOfMemoryError) -> int:
    if len(batch) == 1:
        raise ExtractionError(
            f"a row of {len(batch[0].ids):,} tokens does not fit in the memory of the device; shorten the "
            "texts, or use a device with more memory",
            code="extraction.out_of_memory",
        ) from error
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return len(batch) // 2


class _Kept:
    """Takes what batches give to its place in the file."""

    def __init__(self, writer: StatisticsWriter, pairs: Sequence[EncodedPair], reading: Reading) -> None:
        self._writer, self._pairs, self._reading = writer, pairs, reading
        self.norms = np.zeros((len(pairs), len(reading.blocks)))
        self._names = [
            [[f"{pooling}/{site_key(*place)}/{pole}" for place in reading.places] for pole in POLES]
            for pooling in reading.poolings
        ]

    def batch(self, rows: Sequence[Row]) -> Batch:
        """The rows with what is read of them: text by text, each pooling in turn."""
        pooled, norms = [], []
        for i, row in enumerate(rows):
            pair = self._pairs[row.pair]
            for branch, pole in enumerate(row.poles):
                for pooling in self._reading.poolings:
                    at = read_positions(pair, pooling, pole)
                    pooled.append([(i, row.place(branch, position)) for position in at])
                norms.append([(i, row.place(branch, p)) for p in norm_positions(pair, pole)])
        return batch_of(rows, pooled, norms)

    def take(self, rows: Sequence[Row], vectors: torch.Tensor, norms: torch.Tensor) -> None:
        """Write what `batch` asked for, in its order."""
        texts = [(row.pair, pole) for row in rows for pole in row.poles]
        per_text = vectors.numpy().reshape(len(texts), len(self._names), *vectors.shape[1:])
        for text, (pair, pole) in enumerate(texts):
            self.norms[pair] += norms[text].double().numpy() / 2
            for pooling, names in enumerate(self._names):
                for place, name in enumerate(names[pole]):
                    self._writer.put(name, pair, per_text[text, pooling, place][None])


def _rows(index: int, pair: EncodedPair, *, turns: bool, share: bool) -> list[Row]:
    after = pair.next_turn if turns else ()
    return rows_of(index, pair.positive + after, pair.negative + after, share=share)


def _budget(lm: LanguageModel) -> Budget:
    config = lm.model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    at = int(rope.get("original_max_position_embeddings") or 0) if rope.get("rope_type") == "longrope" else 0
    chosen = CPU_BUDGET if lm.device.type == "cpu" else GPU_BUDGET
    return Budget(chosen.tokens, chosen.min_tokens, at)
