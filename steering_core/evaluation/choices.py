"""Questions with options that the model chooses from by their log-probability, under steering.

An option's last token needs no pass of its own, so options of one token share a single row. `window` asks how
much probability is left on the options, `side_effects` how often the right one wins, `fairness` who gains.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steering_core.evaluation.propensity import length_batches, padded
from steering_core.injection.hooks import steer_rows
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import encode_prompt, encode_reply
from steering_core.spec import Place

_TOKEN_BUDGET = 8192
_LOGIT_BUDGET = 2**25

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Options:
    """The ways in which one reply may go on, as token ids.

    Attributes:
        start: the prompt, and what the reply begins with.
        ends: of each option, at least one token.
    """

    start: tuple[int, ...]
    ends: tuple[tuple[int, ...], ...]


def encode_options(
    lm: LanguageModel, prompt: str, reply_start: str, options: Sequence[str]
) -> Options | None:
    """Token ids; tokens that run across the end of `reply_start` belong to the options.

    None for options that the model cannot tell apart or that do not fit it.
    """
    asked = encode_prompt(lm, prompt)
    replies = [encode_reply(lm, prompt, _joined(reply_start, option)) for option in options]
    begun = encode_reply(lm, prompt, reply_start) if reply_start else []
    shared = _shared([begun, *replies]) if begun else 0
    shared = min(shared, *(len(reply) - 1 for reply in replies))
    ends = [tuple(reply[shared:]) for reply in replies]
    longest = len(asked) + max(map(len, replies))
    if shared < 0 or len(set(ends)) < len(ends) or longest > lm.max_positions:
        return None
    return Options((*asked, *replies[0][:shared]), tuple(ends))


def option_log_probs(
    lm: LanguageModel, asked: Sequence[Options], place: Place, additions: npt.NDArray[np.float32]
) -> list[Floats]:
    """For each question the log-probability of each option, summed over its tokens, (n_additions, n_options).

    Args:
        additions: (n_additions, d_model), added at `place` at every position.
    """
    n = len(additions)
    # (question, its options that are read from one row, the row without their last token).
    rows = [(i, option, row) for i, one in enumerate(asked) for row, option in _rows(one).items()]
    found = [np.zeros((n, len(one.ends))) for one in asked]
    vectors = torch.from_numpy(additions)
    budget = max(1, min(_TOKEN_BUDGET, _LOGIT_BUDGET // lm.vocab_size) // n)
    for batch in length_batches([len(row) for _, _, row in rows], budget):
        ids = padded([rows[b][2] for b in batch]).repeat_interleave(n, 0).to(lm.device)
        first = min(len(asked[rows[b][0]].start) for b in batch)
        with torch.inference_mode(), steer_rows(lm, {place: vectors.repeat(len(batch), 1)}):
            kept = ids.shape[1] - first + 1
            logits = lm.model(input_ids=ids, use_cache=False, logits_to_keep=kept).logits.float()
            log_p = torch.log_softmax(logits, -1).reshape(-1, n, *logits.shape[1:])
        for row, b in enumerate(batch):
            question, options, _ = rows[b]
            one = asked[question]
            for option in options:
                at = len(one.start) - first
                found[question][:, option] = _summed(log_p[row, :, at:], one.ends[option])
    return found


def _rows(one: Options) -> dict[tuple[int, ...], list[int]]:
    rows: dict[tuple[int, ...], list[int]] = {}
    for option, end in enumerate(one.ends):
        rows.setdefault((*one.start, *end[:-1]), []).append(option)
    return rows


def _summed(log_p: Tensor, end: Sequence[int]) -> Floats:
    """(n_additions,), of the tokens of `end`; log_p is (n_additions, tokens, vocabulary), the first of them
    what may follow the start.
    """
    positions = torch.arange(len(end))
    chosen: Floats = log_p[:, positions, torch.tensor(end)].sum(1).double().cpu().numpy()
    return chosen


def _joined(start: str, option: str) -> str:
    return f"{start} {option}" if start and not start[-1].isspace() else start + option


def _shared(rows: Sequence[Sequence[int]]) -> int:
    """How many leading ids all rows have in common."""
    for i, column in enumerate(zip(*rows, strict=False)):
        if len(set(column)) > 1:
            return i
    return min(map(len, rows))
