"""What to be careful of in a mix, read off the stored directions and what was measured; it forbids nothing.

Of the effects, cosines are a prior and no measurement (docs/composition.md), so they are said as what they
are: how much two vectors push the same way. Where a published preset measured these vectors together, its
numbers come first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from registry.catalog.artifacts import kept_vector
from registry.catalog.models import VectorVersion
from registry.catalog.notices import version_notices
from registry.presets.models import PresetVersion
from registry.presets.selectors import measured_with
from registry.presets.states import MixVerdict
from steering_core.vector import SteeringVector

# From here on two directions share enough that turning one turns the other.
OVERLAP = 0.3
# A trait that another vector moves by this share of its own effect, or more.
PULLED = 0.3


@dataclass(frozen=True, slots=True)
class Caution:
    """Something to know before trusting a mix; `mix` is its column, empty for all."""

    code: str
    message: str
    mix: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A vector of a mix.

    Attributes:
        asked: the strength on the slider.
        applied: after the mode.
    """

    row: VectorVersion
    asked: float
    applied: float

    @property
    def label(self) -> str:
        """What people call it."""
        return self.row.vector.title or self.row.vector.name

    @property
    def window(self) -> tuple[float, float] | None:
        """The strengths in which it was found to work; None where nobody measured."""
        found = (self.row.manifest or {}).get("window")
        return (float(found[0]), float(found[1])) if found else None


# The members that add something, with their vectors.
Adding = Sequence[tuple[Member, SteeringVector]]


def mix_cautions(viewer: Any, members: Sequence[Member], mix: str) -> list[Caution]:
    """All there is to say of one mix, the weightiest first."""
    on = [member for member in members if member.applied]
    adding = _adding(on)
    found = [*_measured(viewer, on), *_beyond(on), *_overlaps(adding), *_dose(adding), *_notices(members)]
    return [Caution(code, message, mix) for code, message in found]


def _adding(members: Sequence[Member]) -> Adding:
    pairs = [(member, kept_vector(str(member.row.artifact_id))) for member in members]
    return [(member, vector) for member, vector in pairs if vector.operation == "add"]


def _beyond(members: Sequence[Member]) -> Iterator[tuple[str, str]]:
    for member in members:
        if member.window is None:
            yield "mix.no_window", f"{member.label}: nobody measured the window in which it works."
        elif not member.window[0] <= member.applied <= member.window[1]:
            low, high = member.window
            yield (
                "mix.beyond_window",
                f"{member.label} at {member.applied:+.2f} is outside its window, {low:+.2f} to {high:+.2f}: "
                "there its replies were found to fall apart, or nobody looked.",
            )


def _overlaps(adding: Adding) -> Iterator[tuple[str, str]]:
    if len(adding) < 2:
        return
    shares = cosines([vector for _, vector in adding])
    for i, j in combinations(range(len(adding)), 2):
        one, other, shared = adding[i][0], adding[j][0], shares[i, j]
        if abs(shared) < OVERLAP:
            continue
        together = shared * one.applied * other.applied > 0
        effect = "they push the same way and add up" if together else "they push against each other"
        yield (
            "mix.overlap",
            f"{one.label} and {other.label} overlap (cosine {shared:+.2f}): as they stand, {effect}.",
        )


def cosines(vectors: Sequence[SteeringVector]) -> npt.NDArray[np.float64]:
    """(n, n) between what n vectors, 1 at least, add to the residual stream over all their places, as
    compositions have it.
    """
    added = np.array([_added(vector) for vector in vectors])  # (n, d_model)
    norms = np.linalg.norm(added, axis=1, keepdims=True)
    units = added / np.maximum(norms, np.finfo(np.float64).tiny)
    shares: npt.NDArray[np.float64] = units @ units.T
    return shares


def _added(vector: SteeringVector) -> npt.NDArray[np.float64]:
    total: npt.NDArray[np.float64] = np.sum(
        [vector.addition(1.0, key) for key in vector.directions], axis=0, dtype=np.float64
    )
    return total


def _dose(adding: Adding) -> Iterator[tuple[str, str]]:
    """Compares what all add at one place with the most that any of them was measured at alone."""
    ends = [max(map(abs, member.window)) for member, _ in adding if member.window]
    if len(adding) < 2 or not ends:
        return
    strength = max(place_strengths(adding).values(), default=0.0)
    if strength > max(ends):
        yield (
            "mix.dose",
            f"Together these add {strength:.2f} of the residual norm at one place; the most that one of them "
            f"was measured at is {max(ends):.2f}. Turn the master dose down, or use equal dose.",
        )


def place_strengths(adding: Adding) -> dict[str, float]:
    """Site key -> norm of all that is added there, as a share of the mean residual norm."""
    sums: dict[str, npt.NDArray[np.float64]] = {}
    norms: dict[str, float] = {}
    for member, vector in adding:
        for key in vector.directions:
            added = vector.addition(member.applied, key).astype(np.float64)
            sums[key] = sums[key] + added if key in sums else added
            norms[key] = vector.residual_norms[key]
    return {key: float(np.linalg.norm(added)) / norms[key] for key, added in sums.items()}


def _measured(viewer: Any, members: Sequence[Member]) -> Iterator[tuple[str, str]]:
    """What a published preset found of these vectors together."""
    if len(members) < 2:
        return
    ids = [member.row.pk for member in members]
    for preset in measured_with(viewer=viewer, version_ids=ids):
        if preset.verdict in (MixVerdict.WARN, MixVerdict.FAIL) and preset.reasons:
            yield "mix.measured", f"{preset} measured these together: {' '.join(preset.reasons)}"
        yield from _pulls(preset, members)


def _pulls(preset: PresetVersion, members: Sequence[Member]) -> Iterator[tuple[str, str]]:
    composition = preset.composition or {}
    places = {name["name"]: i for i, name in enumerate(composition["members"])}
    labels = {row.vector_version_id: row.label for row in preset.ordered}
    on = [(member, places.get(labels[member.row.pk], -1)) for member in members]
    for (one, i), (other, j) in ((a, b) for a in on for b in on if a is not b):
        found = composition["relative"][i][j] if i >= 0 and j >= 0 else None
        if found is not None and abs(found["value"]) >= PULLED:
            yield (
                "mix.interference",
                f"{one.label} also moves {other.label}, by {found['value']:+.2f} of what {other.label} does "
                f"itself (measured in {preset}).",
            )


def _notices(members: Sequence[Member]) -> Iterator[tuple[str, str]]:
    for member in members:
        for notice in version_notices(member.row):
            yield "mix.notice", f"{notice.message[:1].upper()}{notice.message[1:]}."
