"""Equal dose: the strength at which steering changes what the model says next by a set amount.

Two vectors at one strength need not push equally hard; at one divergence they do. `selection` compares places
so. Texts are teacher-forced, so no reply has to be generated.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steering_core.evaluation.propensity import length_batches, padded
from steering_core.injection.hooks import steer_rows
from steering_core.models.load import LanguageModel
from steering_core.spec import Place

TARGET_NATS = 0.5
PERCENTILE = 0.95
MAX_DOSE, MIN_DOSE = 0.6, 0.02
BISECTIONS = 5
MAX_TEXT_TOKENS = 96

_LOGIT_BUDGET = 2**25

Floats = npt.NDArray[np.float64]
Unit = tuple[Place, npt.NDArray[np.float32]]


def equal_doses(
    lm: LanguageModel,
    texts: Sequence[Sequence[int]],
    units: Sequence[Unit],
    progress: Callable[[float], None],
) -> list[float]:
    """For each unit, the strength at which the 95th percentile of the tokens' divergence is half a nat.

    Found by bisection on a logarithmic scale between 0.02 and 0.6, half of the texts pushed each way; 0.6
    where even that does not reach it.

    Args:
        texts: token ids; each is cut to 96 tokens.
        units: where, and what strength 1 adds there, (d_model,).
    """
    rows = [list(text[:MAX_TEXT_TOKENS]) for text in texts if len(text) > 1]
    low, high = np.full(len(units), np.log(MIN_DOSE)), np.full(len(units), np.log(MAX_DOSE))
    plain = _log_probabilities(lm, rows, None)
    for step in range(BISECTIONS + 1):
        at = high if step == 0 else (low + high) / 2
        reached = np.array(
            [
                _percentile(lm, rows, plain, place, np.exp(x) * unit) >= TARGET_NATS
                for (place, unit), x in zip(units, at, strict=True)
            ]
        )
        if step == 0:
            low = np.where(reached, low, high)  # out of reach: stay at the top
        else:
            low, high = np.where(reached, low, at), np.where(reached, at, high)
        progress((step + 1) / (BISECTIONS + 1))
    return [float(dose) for dose in np.exp(high)]


def _percentile(
    lm: LanguageModel,
    rows: Sequence[list[int]],
    plain: Sequence[Tensor],
    place: Place,
    addition: npt.NDArray[np.float32],
) -> float:
    signs = np.where(np.arange(len(rows)) % 2, -1.0, 1.0)[:, None]
    steered = _log_probabilities(lm, rows, (place, torch.from_numpy(signs * addition).float()))
    divergence = torch.cat(
        [(before.exp() * (before - after)).sum(-1) for before, after in zip(plain, steered, strict=True)]
    )
    return float(torch.quantile(divergence.float(), PERCENTILE))


def _log_probabilities(
    lm: LanguageModel, rows: Sequence[list[int]], added: tuple[Place, Tensor] | None
) -> list[Tensor]:
    """Of the next token at each position but the first, (tokens - 1, vocabulary), row by row."""
    found: list[Tensor] = [torch.empty(0)] * len(rows)
    for batch in length_batches([len(row) for row in rows], max(1, _LOGIT_BUDGET // lm.vocab_size)):
        ids = padded([rows[i] for i in batch]).to(lm.device)
        additions = {added[0]: added[1][batch]} if added else {}
        with torch.inference_mode(), steer_rows(lm.model, additions):
            logits = lm.model(input_ids=ids, use_cache=False).logits.float()
        for i, row in zip(batch, logits, strict=True):
            found[i] = torch.log_softmax(row[1 : len(rows[i])], dim=-1)
    return found
