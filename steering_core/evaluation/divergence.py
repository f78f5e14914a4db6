"""Dose: how far steering moves what the model says next, in nats.

Two vectors at one strength need not push equally hard; at one divergence they do. `equal_doses` finds that
strength for `selection` to compare places at, `dose_curve` measures what a finished vector does. Texts are
teacher-forced, so no reply has to be generated.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steering_core.evaluation.evidence import rounded
from steering_core.evaluation.propensity import length_batches, padded
from steering_core.injection.hooks import steer_rows
from steering_core.models.load import LanguageModel
from steering_core.spec import STRENGTHS, Place, parse_site_key
from steering_core.vector import SteeringVector

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
    rows = _rows(texts)
    # Half of the texts pushed each way, (n_rows, 1).
    signs = np.where(np.arange(len(rows)) % 2, -1.0, 1.0)[:, None]
    low, high = np.full(len(units), np.log(MIN_DOSE)), np.full(len(units), np.log(MAX_DOSE))
    plain = _log_probabilities(lm, rows, {})
    for step in range(BISECTIONS + 1):
        at = high if step == 0 else (low + high) / 2
        reached = np.array(
            [
                _percentile(lm, rows, plain, {place: signs * np.exp(x) * unit}) >= TARGET_NATS
                for (place, unit), x in zip(units, at, strict=True)
            ]
        )
        if step == 0:
            low = np.where(reached, low, high)  # out of reach: stay at the top
        else:
            low, high = np.where(reached, low, at), np.where(reached, at, high)
        progress((step + 1) / (BISECTIONS + 1))
    return [float(dose) for dose in np.exp(high)]


def dose_curve(
    lm: LanguageModel,
    texts: Sequence[Sequence[int]],
    vector: SteeringVector,
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[tuple[float, float], ...]:
    """(strength, nats) for each strength: the 95th percentile of the tokens' divergence, KL(unsteered ||
    steered).

    All texts are pushed the same way, at every site of the vector, so each sign has a curve of its own. A
    strength at which the model's numbers overflow is left out.

    Args:
        texts: token ids; each is cut to 96 tokens. Without any that has two tokens the curve is empty.
        strengths: rising.
    """
    rows = _rows(texts)
    if not rows:
        return ()
    plain = _log_probabilities(lm, rows, {})
    curve = []
    for strength in strengths:
        additions = {
            parse_site_key(key): np.tile(vector.addition(strength, key), (len(rows), 1))
            for key in vector.directions
        }
        # By definition the model does not differ from itself.
        nats = rounded(_percentile(lm, rows, plain, additions)) if strength else 0.0
        if nats is not None:
            curve.append((strength, max(nats, 0.0)))
    return tuple(curve)


def _rows(texts: Sequence[Sequence[int]]) -> list[list[int]]:
    return [list(text[:MAX_TEXT_TOKENS]) for text in texts if len(text) > 1]


def _percentile(
    lm: LanguageModel,
    rows: Sequence[list[int]],
    plain: Sequence[Tensor],
    additions: Mapping[Place, npt.NDArray[np.floating]],
) -> float:
    """Of the divergence over all tokens, with additions of (n_rows, d_model)."""
    tensors = {place: torch.from_numpy(added).float() for place, added in additions.items()}
    steered = _log_probabilities(lm, rows, tensors)
    divergence = torch.cat(
        [(before.exp() * (before - after)).sum(-1) for before, after in zip(plain, steered, strict=True)]
    )
    return float(torch.quantile(divergence.float(), PERCENTILE))


def _log_probabilities(
    lm: LanguageModel, rows: Sequence[list[int]], additions: Mapping[Place, Tensor]
) -> list[Tensor]:
    """Of the next token at each position but the first, (tokens - 1, vocabulary), row by row."""
    found: list[Tensor] = [torch.empty(0)] * len(rows)
    for batch in length_batches([len(row) for row in rows], max(1, _LOGIT_BUDGET // lm.vocab_size)):
        ids = padded([rows[i] for i in batch]).to(lm.device)
        own = {place: added[batch] for place, added in additions.items()}
        with torch.inference_mode(), steer_rows(lm, own):
            logits = lm.model(input_ids=ids, use_cache=False).logits.float()
        for i, row in zip(batch, logits, strict=True):
            found[i] = torch.log_softmax(row[1 : len(rows[i])], dim=-1)
    return found
