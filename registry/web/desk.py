"""The mixer's state as its address says it: one readable query string, whoever sends it around.

`/mixer?model=bearing/demo&v=acme/formality@1.0.0:0.2&v=…&prompt=…&seed=7`. A `v` may end in `:mute` or
`:solo`; each `b` is the strength of a vector in the second mix. What cannot be read is said, the rest kept.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from django.http import QueryDict

from registry.playground.wishes import (
    DEFAULT_TOKENS,
    FORMATS,
    MAX_CHANNELS,
    MAX_PROMPT,
    MAX_SEED,
    MAX_STRENGTH,
    MAX_TEMPERATURE,
    MAX_TOKENS,
    Channel,
    Wish,
)
from registry.presets.states import MixMode

_FADER = re.compile(
    r"([^:\s]{1,300}?@sha256:[0-9a-f]{64}|[^:\s]{1,300})(?::(-?[0-9.]{1,12}))?(?::(mute|solo))?"
)
_KEPT = "/:@,"
FIRST_STRENGTH = 0.0


@dataclass(frozen=True, slots=True)
class Fader:
    """One vector: its strength in the first mix and in the second, and whether it is heard."""

    reference: str
    strength: float = FIRST_STRENGTH
    other: float = FIRST_STRENGTH
    is_muted: bool = False
    is_solo: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """All that the mixer's page can be set to.

    Attributes:
        is_compared: whether there is a second mix, of the same vectors.
        dose: what all strengths are multiplied with.
        problems: what was in the address or form and could not be read, as sentences.
    """

    model: str = ""
    faders: tuple[Fader, ...] = ()
    is_compared: bool = False
    prompt: str = ""
    format: str = "chat"
    mode: str = MixMode.SUM.value
    seed: int = 1
    temperature: float = 0.8
    max_new_tokens: int = DEFAULT_TOKENS
    dose: float = 1.0
    preset: str = ""
    problems: tuple[str, ...] = field(default=(), compare=False)

    @property
    def query(self) -> str:
        """The canonical query string; `from_query` reads it back."""
        pairs = [("model", self.model)] if self.model else []
        for fader in self.faders:
            heard = ":mute" if fader.is_muted else ":solo" if fader.is_solo else ""
            pairs.append(("v", f"{fader.reference}:{_short(fader.strength)}{heard}"))
        if self.is_compared:
            pairs += [("b", f"{fader.reference}:{_short(fader.other)}") for fader in self.faders]
        for name, usual in _USUAL.items():
            if (value := getattr(self, name)) != usual:
                pairs.append(
                    (_NAMES.get(name, name), _short(value) if isinstance(value, float) else str(value))
                )
        return "&".join(f"{name}={quote(value, safe=_KEPT)}" for name, value in pairs)

    def mix(self, *, other: bool = False) -> tuple[Channel, ...]:
        """The vectors as they are heard: muted ones and those beside a solo are at 0, the dose is in."""
        has_solo = any(fader.is_solo for fader in self.faders)
        return tuple(
            Channel(
                fader.reference,
                0.0
                if fader.is_muted or (has_solo and not fader.is_solo)
                else round(self.dose * (fader.other if other else fader.strength), 6),
            )
            for fader in self.faders
        )

    @property
    def wish(self) -> Wish:
        """What the playground is asked for."""
        mixes = (self.mix(), self.mix(other=True)) if self.is_compared else (self.mix(),)
        return Wish(
            base_model=self.model,
            prompt=self.prompt,
            mixes=mixes if self.faders else (),
            format=self.format,
            mode=self.mode,
            seed=self.seed,
            temperature=self.temperature,
            max_new_tokens=self.max_new_tokens,
        )

    def added(self, reference: str) -> "Desk":
        """With one vector more, once."""
        if any(fader.reference == reference for fader in self.faders) or len(self.faders) >= MAX_CHANNELS:
            return self
        return replace(self, faders=(*self.faders, Fader(reference)))

    def removed(self, reference: str) -> "Desk":
        """Without a vector."""
        faders = tuple(fader for fader in self.faders if fader.reference != reference)
        return replace(self, faders=faders, preset=self.preset if faders else "")

    def compared(self) -> "Desk":
        """With a second mix, which begins as the first; without it where there was one."""
        faders = tuple(replace(f, other=f.strength) for f in self.faders)
        return replace(
            self, faders=self.faders if self.is_compared else faders, is_compared=not self.is_compared
        )


_USUAL: Mapping[str, Any] = {
    name: getattr(Desk(), name)
    for name in ("prompt", "format", "mode", "seed", "temperature", "max_new_tokens", "dose", "preset")
}
_NAMES = {"max_new_tokens": "max"}


def from_query(query: QueryDict) -> Desk:
    """The state that an address says; `vector` and `strength` name one vector in two words."""
    problems: list[str] = []
    faders: dict[str, Fader] = {}
    for text in query.getlist("v")[: MAX_CHANNELS + 1]:
        if found := _fader(text, problems):
            faders[found.reference] = found
    if single := query.get("vector", "").replace("\0", "")[:300]:
        strength = _number(
            query.get("strength") or "0.2", -MAX_STRENGTH, MAX_STRENGTH, "strength", problems, 0.2
        )
        faders[single] = Fader(single, strength)
    for text in query.getlist("b")[: MAX_CHANNELS + 1]:
        if (found := _fader(text, problems)) and found.reference in faders:
            faders[found.reference] = replace(faders[found.reference], other=found.strength)
    kept = tuple(faders.values())
    if len(kept) > MAX_CHANNELS:
        problems.append(f"A mix has up to {MAX_CHANNELS} vectors; the rest is left out.")
    return _desk(query, kept[:MAX_CHANNELS], bool(query.getlist("b")), problems)


def from_form(form: QueryDict) -> Desk:
    """The state that the page's form says: one `ref`, `a` and maybe `b` for each vector."""
    problems: list[str] = []
    references = [text.replace("\0", "")[:300] for text in form.getlist("ref")[:MAX_CHANNELS]]
    muted, solo = set(form.getlist("mute")), set(form.getlist("solo"))
    first, second = form.getlist("a"), form.getlist("b")
    faders = [
        Fader(
            reference,
            _strength(first, i, reference, problems),
            _strength(second, i, reference, problems) if second else FIRST_STRENGTH,
            reference in muted,
            reference in solo and reference not in muted,
        )
        for i, reference in enumerate(references)
    ]
    return _desk(form, tuple(faders), bool(second), problems)


def _desk(values: QueryDict, faders: tuple[Fader, ...], is_compared: bool, problems: list[str]) -> Desk:
    def text(name: str, most: int, usual: str = "") -> str:
        return values.get(name, usual).replace("\0", "")[:most]

    def number(name: str, low: float, high: float, usual: float) -> float:
        return _number(values.get(name) or str(usual), low, high, name, problems, usual)

    prompt = text("prompt", MAX_PROMPT + 1).replace("\r\n", "\n")
    if len(prompt) > MAX_PROMPT:
        problems.append(f"The prompt is longer than {MAX_PROMPT:,} characters; the rest is cut off.")
    return Desk(
        model=text("model", 200),
        faders=faders,
        is_compared=is_compared,
        prompt=prompt[:MAX_PROMPT],
        format=_chosen(text("format", 20, "chat"), FORMATS, "format", problems),
        mode=_chosen(text("mode", 20, MixMode.SUM.value), MixMode.values, "mode", problems),
        seed=int(number("seed", 0, MAX_SEED, 1)),
        temperature=number("temperature", 0, MAX_TEMPERATURE, 0.8),
        max_new_tokens=int(number("max", 1, MAX_TOKENS[True], DEFAULT_TOKENS)),
        dose=number("dose", 0, 2, 1.0),
        preset=text("preset", 200),
        problems=tuple(problems),
    )


def _fader(text: str, problems: list[str]) -> Fader | None:
    found = _FADER.fullmatch(text.replace("\0", ""))
    if found is None:
        problems.append(f"“{text[:80]}” is no vector with a strength; expected owner/name@1.0.0:0.2.")
        return None
    strength = _number(found[2] or "0", -MAX_STRENGTH, MAX_STRENGTH, found[1], problems, 0.0)
    return Fader(found[1], strength, is_muted=found[3] == "mute", is_solo=found[3] == "solo")


def _strength(texts: Sequence[str], i: int, what: str, problems: list[str]) -> float:
    text = texts[i] if i < len(texts) else "0"
    return _number(text or "0", -MAX_STRENGTH, MAX_STRENGTH, what, problems, 0.0)


def _number(text: str, low: float, high: float, what: str, problems: list[str], usual: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if low <= value <= high:
        return value
    problems.append(
        f"{what} is “{text[:20]}”; expected a number from {low:g} to {high:g}, and took {usual:g}."
    )
    return usual


def _chosen(text: str, choices: Sequence[str], what: str, problems: list[str]) -> str:
    if text in choices:
        return text
    problems.append(f"{what} is “{text[:20]}”; expected {' or '.join(choices)}, and took {choices[0]}.")
    return choices[0]


def _short(value: float) -> str:
    """With up to four decimals, and never with an exponent."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
