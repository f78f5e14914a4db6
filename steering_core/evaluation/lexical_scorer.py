"""A trait scorer made of two word lists, which whoever owns the trait writes as a small JSON file.

It sees words and nothing else, so it is one family of scorers among others: `judges` has those that read.
docs/evaluation.md gives the form of the file.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from steering_core.errors import EvaluationError, FormatError, PairsError
from steering_core.evaluation.scorer import TraitScorer
from steering_core.pairs.limits import DEFAULT_LIMITS
from steering_core.pairs.text import checked_text, json_kind
from steering_core.spec import parse_json

VERSION = 1
MAX_BYTES, MAX_WORDS, MAX_WORD_CHARS, MAX_WEIGHT, MAX_INSTRUCTIONS = 256 * 1024, 2000, 64, 10.0, 5

_NAME = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}")
_NEEDED, _OPTIONAL = ("bearing_scorer", "name", "label", "negative", "positive"), ("instructions",)
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?。！？]+(?=\s|$)|\n+")
# A text without full stops has a sentence for every so many words.
_SENTENCE_WORDS = 20


@dataclass(frozen=True, slots=True)
class Pole:
    """One end of the trait; a word may be several words with single spaces between."""

    name: str
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class LexicalSpec:
    """What the file says.

    Attributes:
        instructions: (negative, positive) system texts.
    """

    name: str
    label: str
    negative: Pole
    positive: Pole
    instructions: tuple[tuple[str, str], ...] = ()


def read_lexical_spec(data: bytes) -> LexicalSpec:
    """The file as it is in docs/evaluation.md, and nothing else in it.

    Raises:
        EvaluationError: `evaluation.scorer_size`, `.scorer_json`, `.scorer_fields`, `.scorer_text`,
            `.scorer_words` or `.scorer_weight`.
    """
    value = _fields(_parsed(data), "the scorer", _NEEDED, _OPTIONAL)
    if type(value["bearing_scorer"]) is not int or value["bearing_scorer"] != VERSION:
        raise _refused("fields", f"bearing_scorer is not {VERSION}, the version that is read here")
    if not isinstance(value["name"], str) or not _NAME.fullmatch(value["name"]):
        raise _refused("text", "name is not 1 to 64 of a-z, 0-9 and ._:- such as acme:formality")
    negative, positive = (_pole(value[pole], pole) for pole in ("negative", "positive"))
    if shared := sorted(set(negative.weights) & set(positive.weights)):
        raise _refused("words", f"{shared[0]!r} stands at both poles; a word can speak for one of them only")
    given = value.get("instructions", [])
    if not isinstance(given, list) or len(given) > MAX_INSTRUCTIONS:
        raise _refused("fields", f"instructions is not a list of at most {MAX_INSTRUCTIONS}")
    return LexicalSpec(
        value["name"],
        _text(value["label"], "label", MAX_WORD_CHARS),
        negative,
        positive,
        tuple(_instruction(item) for item in given),
    )


def lexical_scorer(spec: LexicalSpec) -> TraitScorer:
    """Weight of the positive words minus that of the negative ones, over the sentences of the reply.

    Where there is more weight than sentences, over that: from -1 to 1. Coherence is the share of the reply's
    runs of three words that are said once.
    """
    negative, positive = _counter(spec.negative.weights), _counter(spec.positive.weights)

    def score(prompt: str, reply: str) -> float:
        text = _folded(reply)
        shown, hidden = positive(text), negative(text)
        return (shown - hidden) / max(shown + hidden, _sentences(text))

    return TraitScorer(
        spec.name, spec.label, spec.negative.name, spec.positive.name, score, coherence, spec.instructions
    )


def coherence(prompt: str, reply: str) -> float:
    """The share of runs of three words that are not said again, in [0, 1]; 0 for no words."""
    words = _WORD.findall(_folded(reply))
    runs = list(zip(words, islice(words, 1, None), islice(words, 2, None), strict=False))
    return len(set(runs)) / len(runs) if runs else float(bool(words))


def _counter(weights: Mapping[str, float]) -> Callable[[str], float]:
    longest_first = sorted(weights, key=len, reverse=True)
    spelled = "|".join(r"\s+".join(map(re.escape, word.split())) for word in longest_first)
    pattern = re.compile(rf"(?<!\w)(?:{spelled})(?!\w)")

    def total(text: str) -> float:
        return math.fsum(weights[" ".join(found.split())] for found in pattern.findall(text))

    return total


def _sentences(text: str) -> int:
    return max(len(_SENTENCE_END.findall(text)), math.ceil(len(_WORD.findall(text)) / _SENTENCE_WORDS), 1)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _parsed(data: bytes) -> Any:
    if len(data) > MAX_BYTES:
        raise _refused("size", f"it has {len(data):,} bytes; at most {MAX_BYTES:,} are read")
    try:
        return parse_json(data.decode("utf-8"))
    except (FormatError, UnicodeDecodeError) as error:
        raise _refused("json", f"it is not strict JSON in UTF-8 ({error})") from error


def _fields(
    value: object, what: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused("fields", f"{what} is {json_kind(value)}; write an object of {', '.join(needed)}")
    if absent := [name for name in needed if name not in value]:
        raise _refused("fields", f"{what} has no {', '.join(absent)}")
    if unknown := sorted(set(value) - {*needed, *optional}):
        raise _refused("fields", f"{what} has {unknown[0][:40]!r}, which means nothing here; take it out")
    return value


def _pole(value: object, which: str) -> Pole:
    fields = _fields(value, which, ("pole", "words"))
    words = fields["words"]
    if isinstance(words, list):
        words = _evenly(words)
    if not isinstance(words, dict) or not 0 < len(words) <= MAX_WORDS:
        raise _refused(
            "words", f"words of {which} is not a list of 1 to {MAX_WORDS:,} words, or of words with weights"
        )
    weights = {_word(word, which): _weight(weight, word) for word, weight in words.items()}
    if len(weights) < len(words):
        raise _refused("words", f"two words of {which} are one and the same but for case or spaces")
    return Pole(_text(fields["pole"], f"pole of {which}", MAX_WORD_CHARS), weights)


def _evenly(words: list[object]) -> dict[str, int] | None:
    """Each word at weight 1; None where something is no text, or stands twice."""
    texts = [word for word in words if isinstance(word, str)]
    return dict.fromkeys(texts, 1) if len(set(texts)) == len(words) else None


def _word(word: str, which: str) -> str:
    folded = " ".join(_folded(_text(word, f"a word of {which}", MAX_WORD_CHARS)).split())
    if not _WORD.search(folded):
        raise _refused("words", f"{word[:40]!r} of {which} has no letter and no digit")
    return folded


def _weight(value: object, word: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_WEIGHT:
        raise _refused("weight", f"the weight of {word[:40]!r} is not above 0 and up to {MAX_WEIGHT:g}")
    return float(value)


def _instruction(value: object) -> tuple[str, str]:
    fields = _fields(value, "an instruction", ("negative", "positive"))
    negative, positive = (
        _text(fields[pole], f"{pole} of an instruction", DEFAULT_LIMITS.max_field_chars)
        for pole in ("negative", "positive")
    )
    return negative, positive


def _text(value: object, field: str, most: int) -> str:
    try:
        text = checked_text(value, field, 0, DEFAULT_LIMITS, required=True)
    except PairsError as error:
        raise _refused("text", error.message.removeprefix("row 0: ")) from error
    if len(text) > most:
        raise _refused("text", f"{field} has {len(text):,} characters; at most {most:,} are read")
    return text


def _refused(code: str, why: str) -> EvaluationError:
    return EvaluationError(f"no scorer can be made of this file: {why}", code=f"evaluation.scorer_{code}")
