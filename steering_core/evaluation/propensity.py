"""Teacher-forced log-probabilities of both answers under steering: judge-free, and the anchor of a report.

`steerability` makes slopes of them; without a trait scorer `dose` uses them as the score.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steering_core.injection.hooks import steer_rows
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import EncodedPair
from steering_core.spec import Place

Floats = npt.NDArray[np.float64]

_TOKEN_BUDGET = 8192
_LOGIT_BUDGET = 2**26


@dataclass(frozen=True, slots=True)
class Propensities:
    """Mean log-probability per answer token, in nats: (n_pairs, n_additions) for each pole."""

    positive: Floats
    negative: Floats

    @property
    def preference(self) -> Floats:
        """(n_pairs, n_additions), how much likelier the positive answer is, in nats per token."""
        return self.positive - self.negative


@dataclass(frozen=True, slots=True)
class _Row:
    ids: tuple[int, ...]
    start: int
    addition: int = 0


def propensities(
    lm: LanguageModel,
    pairs: Sequence[EncodedPair],
    place: Place,
    additions: npt.NDArray[np.float32],
    progress: Callable[[float], None] | None = None,
) -> Propensities:
    """Log-probabilities of both answers of each pair under each addition.

    Additions act at every position, those of the prompt included, as `steer` does by default.

    Args:
        pairs: pairs with prompts.
        additions: (n_additions, d_model), added at `place`, a (site, block).
    """
    n_pairs, n_additions = len(pairs), len(additions)
    rows = [
        _Row(ids, pair.prompt_length, addition)
        for pair in pairs
        for ids in (pair.positive, pair.negative)
        for addition in range(n_additions)
    ]
    scores = np.zeros(len(rows))
    vectors = torch.from_numpy(additions)
    done = 0
    for batch in length_batches([len(row.ids) for row in rows], _token_budget(lm)):
        chosen = [rows[i] for i in batch]
        own = vectors[[row.addition for row in chosen]]
        with torch.inference_mode(), steer_rows(lm, {place: own}):
            scores[batch] = _mean_log_probabilities(lm, chosen).double().cpu().numpy()
        done += len(batch)
        if progress is not None:
            progress(done / len(rows))
    shaped = scores.reshape(n_pairs, 2, n_additions)
    return Propensities(shaped[:, 0], shaped[:, 1])


def log_likelihoods(lm: LanguageModel, texts: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Floats:
    """Mean log-probability per token of replies, without steering, in nats, (n_texts,).

    Args:
        texts: (token ids of everything before the reply, those of the reply, at least one).
    """
    rows = [_Row((*before, *reply), len(before)) for before, reply in texts]
    scores = np.zeros(len(rows))
    for batch in length_batches([len(row.ids) for row in rows], _token_budget(lm)):
        with torch.inference_mode():
            found = _mean_log_probabilities(lm, [rows[i] for i in batch])
        scores[batch] = found.double().cpu().numpy()
    return scores


def _token_budget(lm: LanguageModel) -> int:
    return min(_TOKEN_BUDGET, max(1, _LOGIT_BUDGET // lm.vocab_size))


def _mean_log_probabilities(lm: LanguageModel, rows: Sequence[_Row]) -> Tensor:
    ids = padded([row.ids for row in rows]).to(lm.device)
    first = min(row.start for row in rows)
    kept = ids.shape[1] - first + 1
    logits = lm.model(input_ids=ids, use_cache=False, logits_to_keep=kept).logits[:, :-1].float()
    targets = ids[:, first:]
    chosen = logits.gather(-1, targets[..., None])[..., 0] - torch.logsumexp(logits, dim=-1)
    positions = torch.arange(first, ids.shape[1], device=lm.device)[None]
    starts = torch.tensor([row.start for row in rows], device=lm.device)[:, None]
    ends = torch.tensor([len(row.ids) for row in rows], device=lm.device)[:, None]
    answer = (positions >= starts) & (positions < ends)
    means: Tensor = (chosen * answer).sum(1) / answer.sum(1)
    return means


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
