"""Stored replies of a report as faders: one stop per strength, with the words that steering changed.

`reports` puts them into the whole; `static/js/fader.js` lets people drag the knob.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from registry.web.curves import Curve
from registry.web.differing import Part, differing
from registry.web.numbers import short, signed
from registry.web.plots import is_inside
from registry.web.small_plots import track

# A model may end its turn at once; a blank panel would look like a fault of the page.
EMPTY_REPLY = "(The model ended its turn without a word.)"


@dataclass(frozen=True, slots=True)
class Stop:
    """One strength of a fader and the reply there.

    Attributes:
        value: the strength as a link has it, `-0.3`; `label` is how people read it.
        parts: the reply, with what the unsteered one has not marked.
        multiplier: the same as a factor on the stored direction; empty where that is not known.
    """

    value: str
    label: str
    multiplier: str
    parts: tuple[Part, ...]
    side: str
    in_window: bool
    is_default: bool


@dataclass(frozen=True, slots=True)
class Fader:
    """All stored replies to one prompt."""

    prompt: str
    unsteered: str
    stops: tuple[Stop, ...]
    track: SafeString


def view_faders(report: Mapping[str, Any], curve: Curve | None, wanted: float) -> tuple[Fader, ...]:
    """A fader for each prompt that has stored replies, each at the stop that is nearest to `wanted`."""
    by_prompt: dict[str, list[tuple[float, str]]] = {}
    for sample in report.get("samples") or []:
        reply = sample["text"].strip() or EMPTY_REPLY
        by_prompt.setdefault(sample["prompt"], []).append((float(sample["strength"]), reply))
    return tuple(_fader(prompt, sorted(replies), curve, wanted) for prompt, replies in by_prompt.items())


def _fader(prompt: str, replies: Sequence[tuple[float, str]], curve: Curve | None, wanted: float) -> Fader:
    window, unit = (curve.window, curve.per_multiplier) if curve else (None, None)
    chosen = min(range(len(replies)), key=lambda i: abs(replies[i][0] - wanted))
    unsteered = next((text for strength, text in replies if strength == 0), "")
    stops = tuple(
        Stop(
            value=short(strength).replace("−", "-"),
            label=signed(strength),
            multiplier=f"{signed(strength / unit, 1)}×" if unit and strength else "",
            parts=tuple(differing(unsteered, text)[1]) if unsteered else (Part(text),),
            side="to" if strength > 0 else "from" if strength < 0 else "none",
            in_window=is_inside(strength, window),
            is_default=i == chosen,
        )
        for i, (strength, text) in enumerate(replies)
    )
    return Fader(prompt, unsteered, stops, track([strength for strength, _ in replies], window))
