"""Vectors and presets as cards of the catalog: what each does at a glance, from what `discovery.cards` keeps.
No card reads a report. A verdict is never shown without why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from registry.catalog.models import Vector
from registry.catalog.states import Access, Domain, Origin
from registry.discovery.cards import Sample, shown_of
from registry.presets.models import Preset
from registry.presets.states import MixVerdict
from registry.serving.selectors import download_totals
from registry.web.curves import Curve, Point
from registry.web.numbers import minus, signed, signed_short
from registry.web.reports import window_words
from registry.web.small_plots import mini_slider, sparkline

# Of a verdict over all, where no gate of the report says more.
VERDICT_WORDS: Mapping[str, str] = {
    "pass": "Every gate of the report passes.",
    "warn": "It works, but a gate of the report is weak.",
    "insufficient": "There is too little evidence for a verdict.",
    "fail": "A gate of the report fails.",
    MixVerdict.UNMEASURED: "Nobody measured what these vectors do together.",
}
PRICES: Mapping[str, str] = {Access.OPEN: "free", Access.GATED: "free, on request", Access.PAID: "paid"}
SLIDERS_SHOWN = 4
STRENGTH_TO_TRY = 0.2


@dataclass(frozen=True, slots=True)
class VectorCard:
    """What a card says; verdict and grade are empty for a vector that was never published.

    Attributes:
        why: sentences that give the reason of the verdict.
        try_query: what the mixer is asked for to try the vector.
    """

    url: str
    title: str
    reference: str
    summary: str
    poles: tuple[str, str] | None
    verdict: str
    why: tuple[str, ...]
    grade: str
    sparkline: SafeString
    window: str
    base_model: str
    license: str
    price: str
    downloads: int
    published_at: datetime | None
    domain: str
    is_private: bool
    is_imported: bool
    is_published: bool
    try_query: str


@dataclass(frozen=True, slots=True)
class SliderLine:
    """A slider of a preset, drawn small."""

    label: str
    strength: str
    drawing: SafeString


@dataclass(frozen=True, slots=True)
class PresetCard:
    """What the card of a preset says; without a version it is a draft."""

    url: str
    title: str
    reference: str
    description: str
    verdict: str
    why: tuple[str, ...]
    sliders: tuple[SliderLine, ...]
    n_more: int
    base_model: str
    domain: str
    published_at: datetime | None
    is_private: bool
    is_published: bool
    try_query: str


@dataclass(frozen=True, slots=True)
class Example:
    """A vector of this registry at work: a stored reply without it and with it."""

    card: VectorCard
    prompt: str
    before: str
    after: str
    strength: str


def vector_card(vector: Vector) -> VectorCard:
    """The card of a vector as a search gives it, with `owner`, `latest`, `card` and `downloads` fetched."""
    latest, name = vector.latest, str(vector)
    shown = shown_of(latest) if latest else None
    curve = _curve(shown) if shown else None
    verdict = latest.verdict if latest else ""
    return VectorCard(
        url=reverse("web:vector", args=[vector.owner.slug, vector.name]),
        title=title_of(vector),
        reference=f"{name}@{latest.version}" if latest else name,
        summary=vector.description or minus((shown["summary"] if shown else "") or ""),
        poles=(curve.negative_pole, curve.positive_pole) if curve and curve.positive_pole else None,
        verdict=verdict,
        why=_why(verdict, shown["gates"] if shown else []),
        grade=latest.grade if latest else "",
        sparkline=sparkline(curve if curve and len(curve.points) > 1 else None, verdict),
        window=window_words(curve),
        base_model=latest.base_model.name if latest else "",
        license=latest.license if latest else "",
        price=PRICES[vector.access],
        downloads=download_totals(vector)["total"],
        published_at=latest.published_at if latest else None,
        domain=Domain(vector.domain).label if vector.domain else "",
        is_imported=latest is not None and latest.origin == Origin.IMPORTED,
        is_private=vector.visibility == "private",
        is_published=latest is not None,
        try_query=f"v={name}@{latest.version}:{_first_strength(curve):g}" if latest else "",
    )


def preset_card(preset: Preset) -> PresetCard:
    """The card of a preset as `preset_search` gives it."""
    latest = preset.latest
    members = latest.ordered if latest else []
    verdict = latest.verdict if latest else ""
    reasons = latest.reasons if latest else []
    return PresetCard(
        url=reverse("web:preset", args=[preset.owner.slug, preset.name]),
        title=title_of(preset),
        reference=f"{preset}@{latest.version}" if latest else str(preset),
        description=preset.description,
        verdict=verdict,
        why=tuple(minus(str(reason)) for reason in reasons[:3]) or _why(verdict, []),
        sliders=tuple(
            SliderLine(
                member.label,
                signed_short(member.strength),
                mini_slider(member.low, member.high, member.strength),
            )
            for member in members[:SLIDERS_SHOWN]
        ),
        n_more=max(0, len(members) - SLIDERS_SHOWN),
        base_model=latest.base_model.name if latest else "",
        domain=Domain(preset.domain).label if preset.domain else "",
        published_at=latest.published_at if latest else None,
        is_private=preset.visibility == "private",
        is_published=latest is not None,
        try_query=f"preset={preset}@{latest.version}" if latest else "",
    )


def example_of(vector: Vector, sample: Sample) -> Example:
    """A vector at work."""
    return Example(
        vector_card(vector), sample["prompt"], sample["before"], sample["after"], signed(sample["strength"])
    )


def title_of(row: Vector | Preset) -> str:
    """The title, or the name as words: `no-hedging` -> `No hedging`."""
    return row.title or row.name.replace("-", " ").capitalize()


def _why(verdict: str, gates: list[list[str]]) -> tuple[str, ...]:
    found = tuple(f"{name.replace('_', ' ').capitalize()}: {minus(reason)}" for name, _, reason in gates[:3])
    return found or ((VERDICT_WORDS[verdict],) if verdict in VERDICT_WORDS else ())


def _curve(shown: Mapping[str, Any]) -> Curve:
    """As far as a card draws it: means without intervals, no controls."""
    negative, positive = shown["poles"] or ("", "")
    drawn = shown["drawn"]
    return Curve(
        points=tuple(
            Point(float(strength), float(mean), None, None, None, None) for strength, mean in shown["points"]
        ),
        controls=(),
        n_controls=0,
        window=(float(drawn[0]), float(drawn[1])) if drawn else None,
        score="",
        negative_pole=negative,
        positive_pole=positive,
    )


def _first_strength(curve: Curve | None) -> float:
    """A careful strength to try first, inside the window where there is one."""
    high = curve.window[1] if curve and curve.window else 0.0
    return min(STRENGTH_TO_TRY, high) if high > 0 else STRENGTH_TO_TRY
