"""What is told of a measurement while it goes on, for pages that follow a run: small, JSON-ready, and of no
weight for the result. `pipeline`, `choosing` and `evaluate` tell it; the report says it again, and more.

Each has a `kind`: `places` and `effects` for the choice of the place, `place` for the one that was chosen,
`family` for each family of metrics.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from steering_core.evaluation.evidence import Section, rounded
from steering_core.evaluation.ranking import ScoredPlace

_POINT = ("strength", "mean", "low", "high", "multiplier", "coherence")

# Told (a sentence for people, the facts).
Interim = Callable[[str, dict[str, Any]], None]


def unheard(said: str, facts: Mapping[str, Any]) -> None:
    """Where nobody follows."""


def places_facts(places: Sequence[ScoredPlace]) -> dict[str, Any]:
    """How well each block separates the poles of the select split, before anything is steered."""
    return {
        "kind": "places",
        "places": [
            {
                "site": place.site,
                "pooling": place.score.pooling,
                "block": place.score.block,
                "auroc": rounded(place.score.auroc),
                "d_prime": rounded(place.score.d_prime),
            }
            for place in places
        ],
    }


def effects_facts(tried: Sequence[ScoredPlace]) -> dict[str, Any]:
    """What steering did at the places where it was tried, each by an equal dose."""
    return {
        "kind": "effects",
        "effects": [
            {
                "pooling": place.score.pooling,
                "block": place.score.block,
                "dose": rounded(place.score.dose),
                "effect": rounded(place.score.effect),
            }
            for place in tried
        ],
    }


def place_facts(place: ScoredPlace, strength: float | None) -> dict[str, Any]:
    """The place that was chosen, and the strength to begin with."""
    return {
        "kind": "place",
        "site": place.site,
        "block": place.score.block,
        "pooling": place.score.pooling,
        "strength": rounded(strength),
    }


def family_facts(name: str, section: Section) -> dict[str, Any]:
    """What a family found: its judged metrics, and the curve where it drew one."""
    metrics = [
        {
            "id": metric.definition.id,
            "label": metric.definition.label,
            "value": rounded(metric.value),
            "verdict": metric.verdict,
        }
        for metric in section.metrics
        if metric.definition.rule
    ]
    curve = [
        {key: point.get(key) for key in _POINT}
        for point in section.facts.get("points") or []
        if isinstance(point, Mapping) and "mean" in point
    ]
    drawn = {"points": curve, "score": section.facts.get("score")} if curve else {}
    return {"kind": "family", "name": name, "metrics": metrics, **drawn}
