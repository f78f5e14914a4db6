"""What steering does to a model that reads texts which say nothing of any trait: their likelihood, how sure
the model is of the next token, and how far it has moved.

Teacher-forced, so no reply is generated. `window` and `side_effects` judge it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steering_core.evaluation.propensity import length_batches, padded
from steering_core.evaluation.suite import Turn
from steering_core.injection.hooks import steer_rows
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import encode_prompt, encode_reply
from steering_core.spec import Place

MAX_TOKENS = 256
_LOGIT_BUDGET = 2**24

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NeutralTurns:
    """Turns as token ids.

    Attributes:
        starts: where each reply begins.
    """

    rows: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, lm: LanguageModel, turns: Sequence[Turn]) -> "NeutralTurns":
        """Cut to 256 tokens; turns of which no token of the reply is left are dropped."""
        prompts = [encode_prompt(lm, turn.prompt) for turn in turns]
        rows = [
            (*ids, *encode_reply(lm, turn.prompt, turn.reply))[: min(MAX_TOKENS, lm.max_positions)]
            for ids, turn in zip(prompts, turns, strict=True)
        ]
        kept = [i for i, row in enumerate(rows) if len(row) > len(prompts[i])]
        return cls(tuple(rows[i] for i in kept), tuple(len(prompts[i]) for i in kept))

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class NeutralReading:
    """Means over the tokens of each reply, (n_turns, n_additions).

    Attributes:
        nll: negative log-likelihood, nats per token.
        entropy: of the next token, nats.
        divergence: KL(first addition || this one) of the next token, nats.
        token_divergence: (n_tokens, n_additions), of every token of every reply.
    """

    nll: Floats
    entropy: Floats
    divergence: Floats
    token_divergence: Floats


def read_neutral(
    lm: LanguageModel, turns: NeutralTurns, place: Place, additions: npt.NDArray[np.float32]
) -> NeutralReading:
    """Every turn under every addition; all additions of one turn are rows of one batch.

    Args:
        additions: (n_additions, d_model), added at every position; the first is what divergence is taken
            from, so give strength 0 first where that is wanted.
    """
    n = len(additions)
    vectors = torch.from_numpy(additions)
    means, tokens = np.zeros((3, len(turns), n)), [np.zeros((0, n))] * len(turns)
    budget = max(1, _LOGIT_BUDGET // (lm.vocab_size * n))
    for batch in length_batches([len(row) for row in turns.rows], budget):
        ids = padded([turns.rows[i] for i in batch]).repeat_interleave(n, 0).to(lm.device)
        first = min(turns.starts[i] for i in batch)
        kept = ids.shape[1] - first + 1
        with torch.inference_mode(), steer_rows(lm, {place: vectors.repeat(len(batch), 1)}):
            logits = lm.model(input_ids=ids, use_cache=False, logits_to_keep=kept).logits[:, :-1].float()
            found = _of_tokens(
                torch.log_softmax(logits, -1).reshape(-1, n, *logits.shape[1:]), ids[::n, first:]
            )
        for row, i in enumerate(batch):
            reply = slice(turns.starts[i] - first, len(turns.rows[i]) - first)
            nll, entropy, divergence = found[:, row, :, reply].double().cpu().numpy()
            means[:, i] = nll.mean(1), entropy.mean(1), divergence.mean(1)
            tokens[i] = divergence.T
    return NeutralReading(
        means[0], means[1], means[2], np.concatenate(tokens) if tokens else np.zeros((0, n))
    )


def _of_tokens(log_p: Tensor, targets: Tensor) -> Tensor:
    """(3, turns, additions, tokens): negative log-likelihood, entropy, divergence from the first addition.

    Args:
        log_p: (turns, additions, tokens, vocabulary).
        targets: (turns, tokens).
    """
    wanted = targets[:, None, :, None].expand(-1, log_p.shape[1], -1, -1)
    nll = -log_p.gather(-1, wanted)[..., 0]
    p = log_p.exp()
    entropy = -(p * log_p).sum(-1)
    divergence = (p[:, :1] * (log_p[:, :1] - log_p)).sum(-1).clamp_min(0)
    return torch.stack([nll, entropy, divergence])
