"""The activations of two models on the same texts, token beside token.

`migration` fits a map between them, `compatibility` asks how far one has drifted from the other.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from steering_core.errors import EvaluationError
from steering_core.evaluation.propensity import length_batches, padded
from steering_core.evaluation.suite import Turn
from steering_core.models.load import LanguageModel
from steering_core.models.sites import read_site
from steering_core.models.tokens import encode_prompt, encode_reply
from steering_core.spec import Place

Models = tuple[LanguageModel, LanguageModel]
Alignment = Literal["tokens", "characters"]

_TOKEN_BUDGET = 4096


@dataclass(frozen=True, slots=True)
class AlignedText:
    """One text as each of two models reads it.

    Attributes:
        ids: token ids, one row per model.
        at: positions in each row, equally many, whose activations stand for the same part of the text.
        n_reply: how many of them, the last ones, belong to the reply.
    """

    ids: tuple[list[int], list[int]]
    at: tuple[list[int], list[int]]
    n_reply: int


@dataclass(frozen=True, slots=True)
class AlignedTexts:
    """Texts that both models can read; `left_out` were too long or share no position."""

    texts: tuple[AlignedText, ...]
    alignment: Alignment
    left_out: int


def align(models: Models, turns: Sequence[Turn]) -> AlignedTexts:
    """Which token of the one model belongs to which token of the other.

    Where both read every text as the same tokens, each token belongs to itself. Otherwise only tokens of the
    reply are used, those that end at the same character in both. A first token is never used: its
    activation is of a kind of its own. A text without a prompt is read as it is, without the chat template.

    Raises:
        EvaluationError: their tokens differ, and one tokenizer cannot say where in the text a token ends.
    """
    encoded = [tuple(_encode(lm, turn) for lm in models) for turn in turns]
    same = all(one == other for one, other in encoded)
    if not same and not all(lm.tokenizer.is_fast for lm in models):
        raise EvaluationError(
            "the two models read texts as different tokens, and a tokenizer without offsets cannot say which "
            "belong together; use a tokenizer.json",
            code="evaluation.no_offsets",
        )
    texts = []
    for turn, ((prompt, reply), (other_prompt, other_reply)) in zip(turns, encoded, strict=True):
        ids = (prompt + reply, other_prompt + other_reply)
        if same:
            at = list(range(1, len(ids[0])))
            texts.append(AlignedText(ids, (at, at), min(len(reply), len(at))))
        else:
            ends = (_ends(models[0], turn, prompt, reply), _ends(models[1], turn, other_prompt, other_reply))
            common = sorted(ends[0].keys() & ends[1].keys(), reverse=True)
            one, other = ([end[left] for left in common] for end in ends)
            texts.append(AlignedText(ids, (one, other), len(common)))
    usable = tuple(text for text in texts if text.at[0] and _fits(text, models))
    return AlignedTexts(usable, "tokens" if same else "characters", len(turns) - len(usable))


def read_couples(
    models: Models, texts: Sequence[AlignedText], places: Sequence[tuple[Place, Place]]
) -> Iterator[tuple[int, list[tuple[Tensor, Tensor]]]]:
    """Index of a text, and at each couple of places its activations in either model, (n_at, d_model) float32.

    Short texts come first. The models run without their heads, on one batch at a time.
    """
    lengths = [max(map(len, text.ids)) for text in texts]
    for batch in length_batches(lengths, _TOKEN_BUDGET):
        found = [
            _read(lm, [texts[i].ids[side] for i in batch], [couple[side] for couple in places])
            for side, lm in enumerate(models)
        ]
        for row, index in enumerate(batch):
            at = texts[index].at
            couples = [
                (one[row, at[0]], other[row, at[1]]) for one, other in zip(found[0], found[1], strict=True)
            ]
            yield index, couples


def _encode(lm: LanguageModel, turn: Turn) -> tuple[list[int], list[int]]:
    raw = not turn.prompt
    return encode_prompt(lm, turn.prompt, raw=raw), encode_reply(lm, turn.prompt, turn.reply, raw=raw)


def _fits(text: AlignedText, models: Models) -> bool:
    return all(len(ids) <= lm.max_positions for ids, lm in zip(text.ids, models, strict=True))


def _ends(lm: LanguageModel, turn: Turn, prompt: list[int], reply: list[int]) -> dict[int, int]:
    """How many characters are left behind a token of the reply -> its position in the row, the last one of
    those that end there; without a row's first token.
    """
    for text in (turn.reply, " " + turn.reply):
        found = lm.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        if list(found["input_ids"]) == reply:
            ends = enumerate((end for _, end in found["offset_mapping"]), start=len(prompt))
            return {len(text) - end: position for position, end in ends if position}
    return {}


def _read(lm: LanguageModel, rows: Sequence[list[int]], places: Sequence[Place]) -> list[Tensor]:
    """(rows, tokens, d_model) at each place; what stands behind a row's end means nothing."""
    found: dict[Place, Tensor] = {}

    def keep(place: Place) -> Callable[..., None]:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            found[place] = read_site(place[0], output).float().cpu()

        return hook

    with ExitStack() as hooks, torch.inference_mode():
        for place in dict.fromkeys(places):
            hooks.callback(lm.sites.module(*place).register_forward_hook(keep(place)).remove)
        lm.sites.root(input_ids=padded(rows).to(lm.device), use_cache=False)
    return [found[place] for place in places]
