"""At which token positions an activation is read: the named poolings as weights over positions.

`activations` applies the weights; `auto` is decided here, from the pairs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from steering_core.errors import ExtractionError
from steering_core.models.tokens import EncodedPair

_CHOICE_TOKENS = 4


def resolve_pooling(pooling: str, pairs: Sequence[EncodedPair]) -> str:
    """The pooling that `auto` stands for; another name is checked and returned as it is.

    Pairs without a prompt are read at `prompt_last`. Pairs with a prompt are read at `answer_token` if every
    answer has at most four tokens and differs from its partner in exactly one (a choice such as "(A)" or
    "(B)"), else as `response_mean`.

    Raises:
        ExtractionError: only some pairs have a prompt, or the pooling does not fit the pairs.
    """
    bare = sum(pair.prompt_length == 0 for pair in pairs)
    if 0 < bare < len(pairs):
        raise ExtractionError(
            f"{bare} of {len(pairs)} pairs have no prompt; give every pair a prompt, or none",
            code="extraction.mixed_prompts",
        )
    if pooling == "auto":
        if bare:
            return "prompt_last"
        return "answer_token" if all(_is_choice(pair) for pair in pairs) else "response_mean"
    if bare and pooling != "prompt_last":
        raise ExtractionError(
            f"pooling {pooling} reads the answer to a prompt, but the pairs have no prompt; choose "
            "prompt_last or auto",
            code="extraction.pooling_needs_prompts",
        )
    if not bare and pooling == "prompt_last":
        raise ExtractionError(
            "pooling prompt_last reads the end of the prompt, which is the same at both poles of these "
            "pairs; "
            "choose response_mean, answer_token or auto, or give pairs that differ in the prompt",
            code="extraction.pooling_needs_no_prompts",
        )
    return pooling


def answer_position(pair: EncodedPair, *, positive: bool) -> int:
    """The position at which the two rows first differ, or the row's last if it ends before that."""
    row = pair.positive if positive else pair.negative
    differs = next(
        (i for i, (p, n) in enumerate(zip(pair.positive, pair.negative, strict=False)) if p != n),
        min(len(pair.positive), len(pair.negative)),
    )
    return min(differs, len(row) - 1)


def row_weights(pair: EncodedPair, pooling: str, *, positive: bool) -> tuple[Tensor, Tensor]:
    """Weights over the positions of one row, each summing to 1: for the activation, and for the residual
    norm.

    The norm is averaged over the response; for `prompt_last` over the prompt without its first position,
    since first tokens often have a norm of their own kind.
    """
    length = len(pair.positive if positive else pair.negative)
    read, norm = torch.zeros(length), torch.zeros(length)
    norm[min(max(pair.prompt_length, 1), length - 1) :] = 1
    if pooling == "response_mean":
        read[pair.prompt_length :] = 1
    elif pooling == "answer_token":
        read[answer_position(pair, positive=positive)] = 1
    else:
        read[length - 1] = 1
    return read / read.sum(), norm / norm.sum()


def _is_choice(pair: EncodedPair) -> bool:
    positive, negative = pair.positive[pair.prompt_length :], pair.negative[pair.prompt_length :]
    if len(positive) != len(negative) or not 0 < len(positive) <= _CHOICE_TOKENS:
        return False
    return sum(p != n for p, n in zip(positive, negative, strict=True)) == 1
