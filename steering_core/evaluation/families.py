"""The families of metrics, in the order in which they are measured; each may read what earlier ones
found.
"""

from collections.abc import Callable
from dataclasses import dataclass

from steering_core.evaluation import (
    blind_material,
    controls,
    geometry,
    latency,
    prompting,
    response,
    robustness,
    safety,
    side_effects,
    steerability,
    window,
)
from steering_core.evaluation.evidence import Section
from steering_core.evaluation.subject import Findings, Subject, Tell


@dataclass(frozen=True, slots=True)
class Family:
    """One file of metrics.

    Attributes:
        weight: about how much of the time it takes, for the progress of a run.
        tiers: those that include it.
        decides: whether a gate rests on any of it.
    """

    name: str
    measure: Callable[[Subject, Findings, Tell], Section]
    message: str
    weight: float
    tiers: tuple[str, ...] = ("smoke", "standard", "gold")
    decides: bool = True


_LARGE = ("standard", "gold")

# Cheap ones first, so that a run that only wants the verdict can stop early.
FAMILIES: tuple[Family, ...] = (
    Family("geometry", geometry.measure, "Reading the direction off the activations", 0.05),
    Family("steerability", steerability.measure, "Measuring log-probabilities on the test split", 0.15),
    Family("response", response.measure, "Measuring the response to each strength", 0.3),
    Family("window", window.measure, "Searching for the ends of the window", 0.2, _LARGE),
    Family("safety", safety.measure, "Asking harmful and harmless requests", 0.5, _LARGE),
    Family("transfer", robustness.measure, "Trying other domains, prompts and forms", 0.3, _LARGE),
    Family("side_effects", side_effects.measure, "Asking what else changes", 0.15, ("standard", "gold")),
    Family("controls", controls.measure, "Trying vectors that have no right to an effect", 0.5),
    Family("prompting", prompting.measure, "Asking for the trait in words instead", 0.15, decides=False),
    Family(
        "blind", blind_material.measure, "Writing replies for people to compare", 0.05, _LARGE, decides=False
    ),
    Family(
        "latency", latency.measure, "Timing the model with and without vectors", 0.1, _LARGE, decides=False
    ),
)


def families_of(tier: str) -> list[Family]:
    """Those that a tier includes, in order."""
    return [family for family in FAMILIES if tier in family.tiers]
