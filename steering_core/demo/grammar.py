"""Reads text of the demo language back: the topic of a prompt, the sentences of a reply, its marker words.

Any text may come; what is not of the language is told apart, never an error. `scoring` builds on it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from steering_core.demo import lexicon
from steering_core.demo.language import MARKER_SETS, Topic
from steering_core.demo.lexicon import NEGATIVE, POSITIVE, SLOTS, TEMPLATES

LONGEST_SENTENCE = 18


def _either(options: list[str]) -> str:
    ordered = sorted({option for option in options if option}, key=lambda option: (-len(option), option))
    return "(?:" + "|".join(re.escape(option) for option in ordered) + ")"


_OBJECTS = f"{_either(list(lexicon.MODIFIERS))} {_either(list(lexicon.DOMAIN_OF))}"
_VERBS = _either(
    [verb for domain in lexicon.DOMAINS.values() for verb in domain.verbs] + list(lexicon.UNSAFE_VERBS)
)
_TOOLS = _either([tool for domain in lexicon.DOMAINS.values() for tool in domain.tools])
_NAMED = {
    "O": f"(?P<item>{_OBJECTS})",
    "V": f"(?P<verb>{_VERBS})",
    "T": f"(?P<tool>{_TOOLS})",
    "W": f"(?P<step>{_either(list(lexicon.STEP_VERBS))})",
}


def _part(word: str) -> str:
    """The pattern of one word of a template, with the space after it."""
    if not word.startswith("{"):
        return re.escape(word) + " "
    name = word.strip("{}")
    if name in _NAMED:
        return _NAMED[name] + " "
    options = [option for pole in SLOTS[name].words.values() for option in pole]
    return f"(?:{_either(options)} )" + ("?" if "" in options else "")


_SENTENCES = [
    (kind, re.compile("".join(map(_part, template.split())))) for kind, template in TEMPLATES.items()
]
_TOPIC = re.compile(
    rf"\b({_VERBS}) the ({_either(list(lexicon.MODIFIERS))}) ({_either(list(lexicon.DOMAIN_OF))})\b"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a reply; `kind` is None outside the grammar, the other fields "" where there is none."""

    text: str
    kind: str | None
    item: str = ""
    verb: str = ""
    tool: str = ""
    step: str = ""


def parse_topic(prompt: str) -> Topic | None:
    """The last topic that a prompt names, or None."""
    found = _TOPIC.findall(prompt.lower())
    return Topic(found[-1][1], found[-1][2], found[-1][0]) if found else None


def _parse_sentence(text: str) -> Sentence:
    for kind, pattern in _SENTENCES:
        if match := pattern.fullmatch(text + " "):
            return Sentence(text, kind, **match.groupdict())
    return Sentence(text, None)


@lru_cache(maxsize=4096)
def parse_reply(reply: str) -> tuple[Sentence, ...]:
    """The sentences of a reply in order.

    A last sentence that was cut off is left out, unless it is longer than any of the language.
    """
    sentences, words = [], []
    for word in reply.split():
        words.append(word)
        if word in (".", "!"):
            sentences.append(_parse_sentence(" ".join(words)))
            words = []
    if words and (len(words) > LONGEST_SENTENCE or not sentences):
        sentences.append(Sentence(" ".join(words), None))
    return tuple(sentences)


def markers(axis: str, pole: int, marker_set: str | None = None) -> tuple[str, ...]:
    """The words and phrases that show one pole of an axis, of both marker sets or one."""
    found: list[str] = []
    for name, slot in SLOTS.items():
        if slot.axis == axis and name != "end":
            options = slot.words.get(pole, ())
            found += options if marker_set is None else options[MARKER_SETS.index(marker_set) :: 2]
    return tuple(dict.fromkeys(option for option in found if option))


@lru_cache(maxsize=64)
def _marker_pattern(axis: str, pole: int, marker_set: str | None) -> re.Pattern[str]:
    return re.compile(rf"(?<!\S){_either(list(markers(axis, pole, marker_set)))}(?!\S)")


def count_markers(text: str, axis: str, marker_set: str | None = None) -> tuple[int, int]:
    """How many (negative, positive) markers of an axis a text has; refusal has no negative ones."""

    def counted(pole: int) -> int:
        return (
            len(_marker_pattern(axis, pole, marker_set).findall(text))
            if markers(axis, pole, marker_set)
            else 0
        )

    return counted(NEGATIVE), counted(POSITIVE)
