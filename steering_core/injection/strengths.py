"""What an asked strength comes to at each site, and which strengths are refused.

Strengths are shares of the mean residual norm (`SteeringVector.addition`); here the other ways of saying one
are turned into that.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from steering_core.errors import InjectionError
from steering_core.injection.mix import Multiplier, Nats, Steering
from steering_core.vector import SteeringVector

MAX_STRENGTH = 2.0

OutsideWindow = Literal["warn", "clamp", "refuse"]


class SteeringWarning(UserWarning):
    """The vector is applied as asked, but not as it was measured."""


def row_strengths(item: Steering, key: str) -> list[float]:
    """What an item's strength comes to at a site: one number for all rows, or one for each.

    Raises:
        InjectionError: `injection.strength`, `injection.strength_form`, `injection.no_doses` or
            `injection.dose_range`.
    """
    asked = item.strength
    if isinstance(asked, Multiplier):
        found = [_from_multiplier(item, asked, key)]
    elif isinstance(asked, Nats):
        found = [_from_dose(item, asked)]
    else:
        found = np.atleast_1d(np.asarray(asked, dtype=np.float64)).tolist()
    for strength in found:
        _check_range(item, strength)
    return found


def strength_for_dose(vector: SteeringVector, nats: float) -> float:
    """The strength that causes a divergence of |nats|, on the side of the curve that its sign names.

    Between two measured doses the square root of the divergence is taken to be a straight line, and so from
    the origin to the first: the divergence of a small push grows with its square. The first strength that
    reaches the dose is taken.

    Raises:
        InjectionError: `injection.no_doses`: that side was not measured; `injection.dose_range`: the dose is
            beyond what was.
    """
    if nats == 0:
        return 0.0
    sign = math.copysign(1.0, nats)
    side = sorted((s * sign, dose) for s, dose in vector.doses if s * sign > 0)
    if not side:
        raise InjectionError(
            f"no doses were measured at {'positive' if sign > 0 else 'negative'} strengths of this vector; "
            "say a strength instead, or evaluate the vector first",
            code="injection.no_doses",
        )
    wanted, at, root = math.sqrt(abs(nats)), 0.0, 0.0
    for strength, dose in side:
        if dose >= abs(nats):
            share = (wanted - root) / (math.sqrt(dose) - root)
            return sign * (at + share * (strength - at))
        at, root = strength, math.sqrt(dose)
    reached, furthest = max(dose for _, dose in side), side[-1][0]
    raise InjectionError(
        f"a dose of {nats:g} nats is beyond what was measured of this vector: 0 to {reached:g} nats, at "
        f"strengths up to {sign * furthest:g}. Ask for less, or say a strength instead",
        code="injection.dose_range",
    )


def within_window(
    item: Steering, strengths: Sequence[float], outside: OutsideWindow
) -> tuple[list[float], str]:
    """The strengths to apply, and a warning or "".

    Only the operation that a vector was calibrated for has a window, and 0 applies nothing.

    Raises:
        InjectionError: `injection.window`: a strength is outside and that is to be refused.
    """
    window = item.vector.window
    if window is None or item.acts_by != item.vector.operation:
        return list(strengths), ""
    low, high = window
    beyond = [s for s in strengths if s != 0 and not low <= s <= high]
    if not beyond:
        return list(strengths), ""
    said = (
        f"strength {beyond[0]:g} is outside the window {low:g} to {high:g} in which its replies were found "
        "to stay whole"
    )
    if outside == "refuse":
        raise InjectionError(f"{said}; choose one inside", code="injection.window")
    if outside == "clamp":
        return [s and min(max(s, low), high) for s in strengths], ""
    return list(strengths), f"{said}; these may lose coherence"


def _from_multiplier(item: Steering, asked: Multiplier, key: str) -> float:
    if item.acts_by != "add":
        raise InjectionError(
            f"a Multiplier is a factor on what is added, and {item.acts_by} adds nothing; give its strength "
            "as a number",
            code="injection.strength_form",
        )
    return asked.value * item.vector.ratio(key)


def _from_dose(item: Steering, asked: Nats) -> float:
    if item.acts_by != item.vector.operation:
        raise InjectionError(
            f"the doses of this vector were measured for {item.vector.operation}, not for {item.acts_by}; "
            "give a number",
            code="injection.strength_form",
        )
    return strength_for_dose(item.vector, asked.value)


def _check_range(item: Steering, strength: float) -> None:
    to_set_point = item.acts_by == "clamp" and item.interval is None
    most = {"add": MAX_STRENGTH}.get(item.acts_by, 1.0 if to_set_point else math.inf)
    if math.isfinite(strength) and abs(strength) <= most:
        return
    meaning = {
        "add": "as a share of the mean residual norm. Most vectors work within ±0.3",
        "project": "the share of the component that is taken away; 1 takes it all",
        "clamp": "the share of the way that the component is moved; 1 moves it all the way",
    }
    bounds = "a finite number" if most == math.inf else f"a number from -{most:g} to {most:g}"
    raise InjectionError(
        f"strength {strength} is out of range; expected {bounds}, {meaning[item.acts_by]}",
        code="injection.strength",
    )
