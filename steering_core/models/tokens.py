"""Turns prompts and pairs into token ids, with the chat template where the model has one.

Text from a dataset is only ever text: it never becomes an end-of-turn or a role token. Rows of ids are read
by `steering_core.extraction` and continued by `steering_core.injection.generate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from steering_core.errors import ModelError
from steering_core.models.load import LanguageModel
from steering_core.pairs.pair import RAW, ContrastivePair

# Private-use characters: no dataset text and no template contains them, so the place of the text can be
# found.
_MARK = "\ue000\ue001\ue000"
_SECOND_MARK = "\ue001\ue000\ue001"


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """Two rows of token ids that begin with the same prompt.

    Attributes:
        prompt_length: how many leading ids are the prompt, generation prompt included. For a pair without a
            prompt the two rows are two whole prompts and this is 0.
        next_turn: what follows either answer when the user asks the same once more, up to the place where
            the model's next reply starts; empty where the model or the pair has no such turn.
    """

    positive: tuple[int, ...]
    negative: tuple[int, ...]
    prompt_length: int
    next_turn: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BoundaryCheck:
    """Whether tokens run across the place where the answer begins.

    Attributes:
        checked: answers that were also encoded together with their prompt.
        moved: those whose tokens then differ from prompt and answer encoded one behind the other.
    """

    checked: int
    moved: int


def encode_prompt(lm: LanguageModel, prompt: str, *, raw: bool = False) -> list[int]:
    """Token ids of one user turn, up to the place where the model's reply starts.

    A model without a chat template gets the text itself, with the tokenizer's own beginning token; so does
    any model if `raw`.

    Raises:
        ModelError: the chat template does not repeat what the user wrote.
    """
    tokenizer = lm.tokenizer
    if raw or not tokenizer.chat_template:
        return [*_beginning(tokenizer), *_plain(tokenizer, prompt)]
    whole = _ids(tokenizer, _render(tokenizer, prompt))
    special = special_ids(tokenizer)
    if sum(i in special for i in whole) == _frame_specials(tokenizer):
        return whole
    before, mark, after = _render(tokenizer, _MARK).partition(_MARK)
    if not mark:
        raise ModelError("the chat template drops the user's text", code="model.chat_template")
    return _ids(tokenizer, before) + _plain(tokenizer, prompt) + _ids(tokenizer, after)


def encode_reply(lm: LanguageModel, prompt: str, reply: str, *, raw: bool = False) -> list[int]:
    """Token ids of a reply that follows `prompt`; without a chat template a space goes between the two where
    none is.
    """
    framed = bool(lm.tokenizer.chat_template) and not raw
    return _plain(lm.tokenizer, reply if framed else _spaced(prompt, reply))


def encode_pair(lm: LanguageModel, pair: ContrastivePair) -> EncodedPair:
    """Both rows of a pair: prompt and answer, or, without a prompt, the text as the user's turn.

    The answer's tokens always begin where the prompt's end, as they do when a model writes the answer.
    """
    raw = pair.template == RAW
    if not pair.prompt:
        positive, negative = (encode_prompt(lm, text, raw=raw) for text in (pair.positive, pair.negative))
        return EncodedPair(tuple(positive), tuple(negative), 0)
    prompt = encode_prompt(lm, pair.prompt, raw=raw)
    return EncodedPair(
        tuple(prompt + encode_reply(lm, pair.prompt, pair.positive, raw=raw)),
        tuple(prompt + encode_reply(lm, pair.prompt, pair.negative, raw=raw)),
        len(prompt),
        () if raw else tuple(next_turn(lm.tokenizer, pair.prompt)),
    )


def next_turn(tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
    """Token ids of what follows a reply when the user speaks again, up to the place where the next reply
    starts; empty where the chat template takes one turn only, or there is none.
    """
    frame = _turn_frame(tokenizer)
    if frame is None:
        return []
    return [*frame[0], *_plain(tokenizer, prompt), *frame[1]]


def check_boundary(
    lm: LanguageModel, pairs: Sequence[ContrastivePair], encoded: Sequence[EncodedPair]
) -> BoundaryCheck:
    """Encode prompt and answer as one text and compare with how the pairs were encoded.

    A token that runs across the boundary means that the model, had it written the answer itself, would have
    read other tokens there. Pairs without a prompt have no boundary.
    """
    moved = checked = 0
    for pair, rows in zip(pairs, encoded, strict=True):
        if not pair.prompt:
            continue
        for reply, ids in ((pair.positive, rows.positive), (pair.negative, rows.negative)):
            checked += 1
            moved += tuple(_together(lm.tokenizer, pair, reply)[: len(ids)]) != ids
    return BoundaryCheck(checked, moved)


def _together(tokenizer: PreTrainedTokenizerBase, pair: ContrastivePair, reply: str) -> list[int]:
    if pair.template == RAW or not tokenizer.chat_template:
        whole = pair.prompt + _spaced(pair.prompt, reply)
        return [*_beginning(tokenizer), *_plain(tokenizer, whole)]
    turns = [{"role": "user", "content": pair.prompt}, {"role": "assistant", "content": reply}]
    return _ids(tokenizer, str(tokenizer.apply_chat_template(turns, tokenize=False)))


def _spaced(prompt: str, reply: str) -> str:
    joined = not prompt or prompt[-1].isspace() or reply[:1].isspace()
    return reply if joined else " " + reply


@lru_cache(maxsize=8)
def _turn_frame(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]] | None:
    """What the chat template puts between a reply and the next user turn, and after that turn."""
    if not tokenizer.chat_template:
        return None
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": _MARK},
        {"role": "user", "content": _SECOND_MARK},
    ]
    try:
        text = str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except TemplateError:  # the template takes one turn only
        return None
    _, found, rest = text.partition(_MARK)
    between, also_found, after = rest.partition(_SECOND_MARK)
    return (_ids(tokenizer, between), _ids(tokenizer, after)) if found and also_found else None


def _render(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
    )
    return str(rendered)


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


@lru_cache(maxsize=8)
def _frame_specials(tokenizer: PreTrainedTokenizerBase) -> int:
    """How many special tokens the chat template itself puts around one user turn."""
    special = special_ids(tokenizer)
    return sum(i in special for i in _ids(tokenizer, _render(tokenizer, "a")))


@lru_cache(maxsize=8)
def _beginning(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """What the tokenizer puts before a text, without what it puts after it."""
    framed = list(tokenizer("a")["input_ids"])
    bare = _ids(tokenizer, "a")
    for start in range(len(framed) - len(bare) + 1):
        if framed[start : start + len(bare)] == bare:
            return tuple(framed[:start])
    return ()


def _plain(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Ids of text in which special tokens are spelled out; those a word-level vocabulary still has become
    unknown.
    """
    ids = list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
    special, unknown = special_ids(tokenizer), tokenizer.unk_token_id
    if unknown is None:
        return [i for i in ids if i not in special]
    return [unknown if i in special else i for i in ids]


@lru_cache(maxsize=8)
def special_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids with a meaning beyond text: declared special tokens and added special ones, the unknown token
    aside.
    """
    added = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    return frozenset((set(tokenizer.all_special_ids) | added) - {tokenizer.unk_token_id})
