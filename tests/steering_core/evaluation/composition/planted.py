"""Compositions whose truth is known, because they are made from it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from steering_core.evaluation.composition.record import (
    Budget,
    Composition,
    Curve,
    Estimate,
    MemberRecord,
    Point,
)

NAMES = ("warm", "formal", "sure", "glad")
STRENGTH = 0.3


def composition(slopes: Any, *, window: float = 0.5, most: float = 4.0, cosines: Any = None) -> Composition:
    """A set of vectors with these effects per strength, vector by trait, and nothing else to them."""
    slopes = np.asarray(slopes, dtype=float)
    k = len(slopes)
    cosines = np.eye(k) if cosines is None else np.asarray(cosines, dtype=float)
    effects = tuple(tuple(Estimate(2 * STRENGTH * float(cell)) for cell in row) for row in slopes)
    members = tuple(
        MemberRecord(
            name,
            "sha256:" + "1" * 64,
            ("resid_post.1",),
            STRENGTH,
            (-window, window),
            "log_prob",
            40,
            10,
            Estimate(0.0),
        )
        for name in NAMES[:k]
    )
    return Composition(
        model_hash="sha256:" + "a" * 64,
        model="demo",
        members=members,
        cosines=tuple(tuple(map(float, row)) for row in cosines),
        effects=effects,
        relative=effects,
        interactions=effects,
        curves=(Curve("sum", "greedy", (point(NAMES[:1], [1.0]),), 1, 1),),
        budget=Budget(0.95, (0.0, most), (1.0, 0.95), 0.01, most),
        seed=1,
        cost={"tokens": 100.0},
    )


def point(names: Sequence[str], kept: Sequence[float], *, half: float = 0.1, coherence: float = 1.0) -> Point:
    """A point of a curve with intervals of this half width."""
    retention = tuple(Estimate(value, value - half, value + half) for value in kept)
    return Point(tuple(names), 1.0, 0.09 * len(names), retention, Estimate(coherence), None)


def budget(most: float = 1.0) -> Budget:
    """That allows a dose of `most`."""
    return replace(composition(np.eye(2)).budget, most=most)
