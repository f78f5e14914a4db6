"""`compare`: what an engine's answers to a certificate's probes say about how it applied the vector.

The change of the logits is compared as a direction, over all points and strengths at once. `chord` is the
distance between two such directions on the unit sphere: 0 for the same, 1.41 at right angles, 2 for opposite;
for small ones it is the relative error, and the sine of the angle. All logits are taken up to a constant per
point, so that an engine that answers with log-probabilities will do.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from steering_core.errors import FormatError
from steering_core.formats.conformance import Certificate, Logits

# Where rounding is all that differs, an engine is within this; one whose weights are quantised may be further
# off by as much more as its unsteered logits show, up to the most.
EXACT, PER_UNSTEERED, MOST = 0.05, 2.0, 0.45
# Unsteered logits further off than this, relative to their spread, come from another model.
OTHER_MODEL = 0.25
# What is right must be so many times nearer than any fault, and a fault than what is right. Rounding moves a
# change away from everything alike, hardly ever from one towards the other.
MARGIN = 1.5
# A change of less than this share of what was expected is none.
NO_EFFECT = 0.1

Verdict = Literal["conforms", "fault", "other_strength", "other_model", "inconclusive"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What an engine answered.

    Attributes:
        unsteered: (points, watched), in the order of the certificate.
        steered: (strengths, points, watched).
    """

    unsteered: Logits
    steered: Logits


@dataclass(frozen=True, slots=True)
class Likeness:
    """How the observed change compares with an expected one: the cosine, and observed size / its size."""

    name: str
    why: str
    cosine: float
    size: float

    @property
    def distance(self) -> float:
        """As a chord."""
        return chord(self.cosine)


@dataclass(frozen=True, slots=True)
class Finding:
    """How an engine applied the vector.

    Attributes:
        verdict: `conforms`; `fault`, the one that `matched` names; `other_strength`: right but for its size;
            `other_model`; or `inconclusive`.
        matched: the name of a decoy, or `no effect`; "" for every other verdict.
        reason: one clause for people, that goes on from the engine's name.
        unsteered_error: distance of the unsteered logits from the certificate's, relative to their spread.
        tolerance: how far the change may be off, as a chord and as a share of its size.
        likenesses: the right one first, then each fault.
    """

    verdict: Verdict
    matched: str
    reason: str
    unsteered_error: float
    tolerance: float
    likenesses: tuple[Likeness, ...]

    @property
    def conforms(self) -> bool:
        """Whether the engine applies the vector as it was measured."""
        return self.verdict == "conforms"


def compare(certificate: Certificate, observed: Observed) -> Finding:
    """Which of the certificate's changes an engine's answers show.

    The vector is applied rightly if the change is within the tolerance, and at least 1.5 times nearer to what
    it should be than to any decoy. A fault is named under the same rule.

    Raises:
        FormatError: `conformance.observed`: not a finite number for each strength, point and watched token.
    """
    unsteered, change = _checked(certificate, observed)
    plain = centred(certificate.unsteered)
    error = _norm(unsteered - plain) / max(_norm(plain), 1e-12)
    tolerance = min(EXACT + PER_UNSTEERED * error, MOST)
    expected = [("right block, site and sign", "as it was measured", certificate.changes)]
    expected += [(decoy.name, decoy.why, decoy.changes) for decoy in certificate.decoys]
    likenesses = tuple(
        Likeness(
            name, why, cosine(change, centred(values)), _norm(change) / max(_norm(centred(values)), 1e-12)
        )
        for name, why, values in expected
    )
    verdict, matched, reason = _verdict(certificate, likenesses, error, tolerance)
    return Finding(verdict, matched, reason, error, tolerance, likenesses)


def centred(logits: npt.NDArray[np.floating]) -> Floats:
    """In float64, less the mean over the watched tokens of each point."""
    exact: Floats = logits.astype(np.float64)
    exact -= exact.mean(axis=-1, keepdims=True)
    return exact


def cosine(one: Floats, other: Floats) -> float:
    """Of all their numbers at once; 0 if one of them is zero."""
    norms = _norm(one) * _norm(other)
    return float(np.clip((one * other).sum() / norms, -1, 1)) if norms > 0 else 0.0


def chord(cosine_of: float) -> float:
    """Distance of two unit vectors with this cosine, from 0 to 2."""
    return math.sqrt(max(0.0, 2.0 - 2.0 * cosine_of))


def _verdict(
    certificate: Certificate, likenesses: tuple[Likeness, ...], error: float, tolerance: float
) -> tuple[Verdict, str, str]:
    right, *faults = likenesses
    if error > OTHER_MODEL:
        reason = f"runs another model, quantisation or tokenisation than {certificate.model}: without the "
        return "other_model", "", reason + f"vector its logits are off by {error:.0%} of their spread"
    if right.size <= NO_EFFECT:
        reason = f"does not apply it: the logits change by {right.size:.1%} of what was expected"
        return "fault", "no effect", reason
    off = right.distance
    nearest = min(faults, key=lambda fault: fault.distance, default=None)
    if nearest is None or off * MARGIN <= nearest.distance:
        return _nearly_right(right, tolerance)
    if nearest.distance <= MOST and nearest.distance * MARGIN <= off:
        return "fault", nearest.name, f"applies it {nearest.why}: it matched {nearest.name!r}"
    best = min(likenesses, key=lambda likeness: likeness.distance)
    reason = (
        f"{nearest.name!r} (cosine {nearest.cosine:.3f}) and what is right ({right.cosine:.3f}) are too alike"
    )
    if best.distance > MOST:
        reason = f"nothing is close, the nearest is {best.name!r} (cosine {best.cosine:.3f})"
    return "inconclusive", "", f"cannot be judged: {reason}"


def _nearly_right(right: Likeness, tolerance: float) -> tuple[Verdict, str, str]:
    """What an engine did that is far from every fault."""
    where = "applies it at the right block, site and sign"
    is_as_strong = abs(right.size - 1) <= tolerance
    if right.distance <= tolerance and is_as_strong:
        return "conforms", "", f"{where} (cosine {right.cosine:.5f})"
    # The logits bend, so that the change at another strength also points a little elsewhere.
    if right.distance <= MOST and not is_as_strong:
        return "other_strength", "", f"{where}, but {right.size:.2f} times as strongly as asked"
    return (
        "inconclusive",
        "",
        (
            f"cannot be judged: no known fault looks like it, but it is off by {right.distance:.0%} where "
            f"{tolerance:.0%} is allowed (cosine {right.cosine:.5f})"
        ),
    )


def _checked(certificate: Certificate, observed: Observed) -> tuple[Floats, Floats]:
    """The unsteered logits and their change, centred."""
    shape = certificate.changes.shape
    for name, values, expected in (
        ("unsteered logits", observed.unsteered, shape[1:]),
        ("steered logits", observed.steered, shape),
    ):
        if np.shape(values) != expected or not np.isfinite(values).all():
            raise FormatError(
                f"the engine's {name} are no finite numbers of the shape {list(expected)}; "
                f"they have the shape {list(np.shape(values))}",
                code="conformance.observed",
            )
    unsteered = centred(observed.unsteered)
    return unsteered, centred(observed.steered) - unsteered


def _norm(values: Floats) -> float:
    return float(np.sqrt((values * values).sum()))
