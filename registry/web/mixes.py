"""A preset as its page shows it: sliders, what its vectors do to each other, what the mix does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.presets.models import PresetMember, PresetVersion
from registry.web.numbers import plain, signed, signed_short

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SliderView:
    """One member; `reference` is empty where the viewer may not see its vector."""

    label: str
    reference: str
    url: str
    low_label: str
    high_label: str
    low: float
    high: float
    strength: float
    from_says: str
    to_says: str
    says: str
    applied: str


@dataclass(frozen=True, slots=True)
class CellView:
    """A change of a trait with its interval, and its share of what the trait's own vector does."""

    value: str
    interval: str
    share: str = ""


@dataclass(frozen=True, slots=True)
class MixView:
    """What was measured of a mix.

    Attributes:
        rows: a label and a cell for each trait, for the vector of the label from minus to plus its strength.
        alone, together: what each vector does to its own trait at its strength by itself, and what the mix
            does to each; empty where that was not measured.
    """

    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[CellView, ...]], ...]
    alone: tuple[CellView, ...]
    together: tuple[CellView, ...]
    coherence: str
    kept: str
    dose: str
    most: str
    nats: str
    carries: int
    wanted: str


def slider_views(version: PresetVersion, seen: set[int], urls: Mapping[int, str]) -> list[SliderView]:
    """The members in order; `urls` are pages of vectors by member id."""
    pairs = zip(version.ordered, version.strengths, strict=True)
    return [_slider(member, at, member.pk in seen, urls.get(member.pk, "")) for member, at in pairs]


def mix_view(composition: Json | None) -> MixView | None:
    """The numbers of a composition as stored; None for none."""
    if not composition:
        return None
    labels = tuple(member["name"] for member in composition["members"])
    solution, budget = composition["solution"], composition["budget"]
    coherence, wanted = (solution or {}).get("coherence"), (solution or {}).get("wanted", {})
    return MixView(
        labels=labels,
        rows=tuple(
            (label, tuple(_cell(*pair) for pair in zip(effects, relative, strict=True)))
            for label, effects, relative in zip(
                labels, composition["effects"], composition["relative"], strict=True
            )
        ),
        alone=tuple(_cell(one, None) for one in (solution or {}).get("alone", ())),
        together=tuple(_cell(one, None) for one in (solution or {}).get("measured", ())),
        coherence=plain(coherence["value"]) if coherence else "",
        kept=plain(budget["kept"]),
        dose=plain(solution["dose"]) if solution else "",
        most=plain(budget["most"]),
        nats=plain(solution["nats"]) if solution and solution["nats"] is not None else "",
        carries=int(composition["curves"][0]["max_axes_shown"]),
        wanted=", ".join(f"{name} {signed_short(value)}" for name, value in wanted.items()),
    )


def _slider(member: PresetMember, applied: float, is_seen: bool, url: str) -> SliderView:
    return SliderView(
        label=member.label,
        reference=str(member.vector_version) if is_seen else "",
        url=url if is_seen else "",
        low_label=member.low_label,
        high_label=member.high_label,
        low=member.low,
        high=member.high,
        strength=member.strength,
        from_says=signed_short(member.low),
        to_says=signed_short(member.high),
        says=signed_short(member.strength),
        applied="" if applied == member.strength else signed(applied),
    )


def _cell(estimate: Json, relative: Json | None) -> CellView:
    low, high = estimate["low"], estimate["high"]
    return CellView(
        signed(estimate["value"]),
        "" if low is None else f"{signed(low)} to {signed(high)}",
        "" if relative is None else signed(relative["value"]),
    )
