"""The dose–response of a report as numbers that can be drawn. `plots` draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """The mean score at one strength, with its 95 % interval; None where nothing could be computed."""

    strength: float
    mean: float
    low: float | None
    high: float | None
    multiplier: float | None
    coherence: float | None


@dataclass(frozen=True, slots=True)
class Control:
    """What random vectors of equal norm did at one strength: the lowest, the median, the highest."""

    strength: float
    low: float
    high: float
    median: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in order of strength, at least two."""

    points: tuple[Point, ...]
    controls: tuple[Control, ...]
    n_controls: int
    window: tuple[float, float] | None
    score: str
    negative_pole: str
    positive_pole: str

    @property
    def per_multiplier(self) -> float | None:
        """Strength of the natural shift, that is, of the multiplier 1."""
        ratios = [p.strength / p.multiplier for p in self.points if p.multiplier and p.strength]
        return ratios[-1] if ratios and ratios[-1] > 0 else None

    def at(self, strength: float) -> Point | None:
        """The measured point at this strength."""
        return next((p for p in self.points if abs(p.strength - strength) < 1e-9), None)


def read_curve(report: Mapping[str, Any] | None) -> Curve | None:
    """The curve of a report, or None when the report has none that could be drawn."""
    found = (report or {}).get("dose_response") or {}
    points = _points(found.get("points") or [])
    if len(points) < 2:
        return None
    trait = (report or {}).get("trait") or {}
    control = found.get("control") or {}
    window = found.get("window")
    return Curve(
        points=points,
        controls=_controls(control.get("points") or []),
        n_controls=int(control.get("n_vectors") or 0),
        window=(float(window[0]), float(window[1])) if window else None,
        score=str(found.get("score") or "score"),
        negative_pole=str(trait.get("negative_pole") or ""),
        positive_pole=str(trait.get("positive_pole") or ""),
    )


def _points(rows: Sequence[Mapping[str, Any]]) -> tuple[Point, ...]:
    kept = [
        Point(
            float(row["strength"]),
            float(row["mean"]),
            row.get("low"),
            row.get("high"),
            row.get("multiplier"),
            row.get("coherence"),
        )
        for row in rows
        if row.get("strength") is not None and row.get("mean") is not None
    ]
    return tuple(sorted(kept, key=lambda point: point.strength))


def _controls(rows: Sequence[Mapping[str, Any]]) -> tuple[Control, ...]:
    names = ("strength", "low", "high", "median")
    complete = [row for row in rows if all(row.get(name) is not None for name in names)]
    kept = [Control(*(float(row[name]) for name in names)) for row in complete]
    return tuple(sorted(kept, key=lambda control: control.strength))
