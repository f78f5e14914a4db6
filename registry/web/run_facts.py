"""What a run has measured so far, read from the facts in its log: the places, the choice, each family.

`block_plots` draws the places; the words for metrics are those of the report's page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.runs.models import RunEvent
from registry.web.curves import Curve, read_curve
from registry.web.numbers import plain

POOLING_WORDS = {
    "auto": "automatic",
    "response_mean": "whole answer",
    "answer_token": "one token of the answer",
    "prompt_last": "last token",
    "next_turn": "next turn",
}
FAMILY_WORDS = {
    "geometry": "The direction",
    "steerability": "Answers’ probabilities",
    "response": "Response to strengths",
    "window": "Window",
    "safety": "Safety",
    "transfer": "Transfer",
    "side_effects": "Side effects",
    "controls": "Controls",
    "prompting": "Prompting",
    "blind": "Replies to compare",
    "latency": "Latency",
}


@dataclass(frozen=True, slots=True)
class PlacePoint:
    """One block as read in one way: how well it tells the poles apart, and what steering there did."""

    block: int
    auroc: float | None
    d_prime: float | None
    effect: float | None

    @property
    def words(self) -> tuple[str, str, str]:
        """The numbers for a table."""
        return plain(self.auroc), plain(self.d_prime), plain(self.effect)


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """The blocks as read in one way, in order."""

    pooling: str
    points: tuple[PlacePoint, ...]

    @property
    def label(self) -> str:
        """The pooling in words."""
        return POOLING_WORDS.get(self.pooling, self.pooling)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The place that was chosen."""

    site: str
    block: int
    pooling: str
    strength: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One family with its judged metrics: (label, value, verdict)."""

    label: str
    metrics: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the log holds of one attempt."""

    lines: tuple[PlaceLine, ...]
    chosen: Chosen | None
    families: tuple[Measured, ...]
    curve: Curve | None

    def __bool__(self) -> bool:
        return bool(self.lines or self.families)

    @property
    def was_steered(self) -> bool:
        """Whether steering was tried anywhere yet."""
        return any(point.effect is not None for line in self.lines for point in line.points)


def read_facts(events: Iterable[RunEvent], attempt: int) -> Facts:
    """The facts of an attempt; those of an earlier one were measured again."""
    places: Sequence[Mapping[str, Any]] = ()
    effects: dict[tuple[str, int], float | None] = {}
    chosen, curve, families = None, None, []
    for event in events:
        data = event.data
        if event.attempt != attempt or not data:
            continue
        match data.get("kind"):
            case "places":
                places = data.get("places") or ()
            case "effects":
                effects = {(row["pooling"], row["block"]): row["effect"] for row in data.get("effects") or ()}
            case "place":
                chosen = Chosen(data["site"], data["block"], data["pooling"], data.get("strength"))
            case "family":
                families.append(_measured(data))
                if data.get("points"):
                    curve = read_curve({"dose_response": data})
    return Facts(_lines(places, effects), chosen, tuple(f for f in families if f.metrics), curve)


def _lines(
    places: Sequence[Mapping[str, Any]], effects: Mapping[tuple[str, int], float | None]
) -> tuple[PlaceLine, ...]:
    poolings = dict.fromkeys(str(row["pooling"]) for row in places)
    return tuple(
        PlaceLine(
            pooling,
            tuple(
                PlacePoint(row["block"], row["auroc"], row["d_prime"], effects.get((pooling, row["block"])))
                for row in sorted(places, key=lambda row: int(row["block"]))
                if row["pooling"] == pooling
            ),
        )
        for pooling in poolings
    )


def _measured(data: Mapping[str, Any]) -> Measured:
    name = str(data.get("name") or "")
    metrics = tuple(
        (str(row.get("label") or row.get("id")), plain(row.get("value")), str(row.get("verdict") or ""))
        for row in data.get("metrics") or ()
    )
    return Measured(FAMILY_WORDS.get(name, name), metrics)
