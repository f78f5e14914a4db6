"""Side effects: what else a vector changes at the strength to start with, and at both ends of its window.

Here stand neutral text and the family as a whole; `capability`, `entanglement` and `fairness` are files of
their own. Safety is another family.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from steering_core.evaluation.capability import capability
from steering_core.evaluation.dose import CONTROL_STRENGTH
from steering_core.evaluation.entanglement import DIVERSITY, Replies, diversity, entanglement
from steering_core.evaluation.evidence import MIN_ITEMS, Definition, Metric, Sample, Section, judged, rounded
from steering_core.evaluation.fairness import fairness
from steering_core.evaluation.neutral import NeutralReading, NeutralTurns, read_neutral
from steering_core.evaluation.subject import Findings, Subject, Tell
from steering_core.evaluation.suite import spread

KL_PASS, KL_FAIL = 0.1, 1.0
PERPLEXITY_PASS, PERPLEXITY_FAIL = 0.1, 0.25

KL = Definition(
    "kl",
    "side_effects",
    "How far does it move the model on neutral text?",
    "Mean divergence of the next token from that without steering, nats",
    f"passes if the upper bound ≤ {KL_PASS}; fails if the lower bound > {KL_FAIL:g}",
)
PERPLEXITY = Definition(
    "neutral_perplexity",
    "side_effects",
    "Does it read neutral text as well?",
    "Rise of the log-perplexity of neutral text, nats per token",
    f"passes if the upper bound ≤ {PERPLEXITY_PASS}; fails if the lower bound > {PERPLEXITY_FAIL}",
)


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """All of them; what a suite has no texts for is insufficient."""
    strength = CONTROL_STRENGTH if subject.strength is None else subject.strength
    strengths = list(dict.fromkeys([strength, *(end for end in found.window or () if end)]))
    metrics, points = _neutral(subject, strengths)
    tell(0.2)
    able, questions = capability(subject, strengths)
    tell(0.5)
    fair, groups = fairness(subject, strength)
    tell(0.6)
    facts: dict[str, Any] = {
        "strength": strength,
        "neutral": points,
        "capability": questions,
        "fairness": groups,
    }
    metrics += [able, fair]
    if subject.has_prompts and subject.data.test:
        written = Replies.of(subject, strength)
        entangled, facts["entanglement"] = entanglement(subject, written)
        varied, facts["diversity"] = diversity(subject, written)
        metrics += [entangled, varied] if entangled else [varied]
    else:
        reason = "The pairs have no prompts, so replies cannot be compared; give pairs with prompts."
        metrics.append(Metric(DIVERSITY, "insufficient", reason, Sample(0, 0, "test")))
    return Section(tuple(metrics), facts)


def _neutral(subject: Subject, strengths: Sequence[float]) -> tuple[list[Metric], list[dict[str, Any]]]:
    turns = NeutralTurns.of(subject.lm, spread(subject.suite.neutral, subject.budget.neutral_texts))
    clusters = [str(i) for i in range(len(turns))]
    sample = Sample.of(clusters, "suite")
    if len(turns) < MIN_ITEMS:
        said = (
            f"{len(turns)} neutral turns; a verdict needs at least {MIN_ITEMS}: ask the operator to register "
            "a suite with that many for this base model."
        )
        return [Metric(definition, "insufficient", said, sample) for definition in (KL, PERPLEXITY)], []
    reading = read_neutral(subject.lm, turns, subject.place, subject.additions([0.0, *strengths]))
    points = [_point(reading, i, strength) for i, strength in enumerate([0.0, *strengths])]
    bootstrap = subject.resampling.over(clusters)
    moved, rise = reading.divergence[:, 1], reading.nll[:, 1] - reading.nll[:, 0]
    far, worse = bootstrap.mean(moved), bootstrap.mean(rise)
    at = f"At strength {strengths[0]:g} the bounds are"
    return [
        Metric(
            KL,
            judged(passes=far[1] <= KL_PASS, fails=far[0] > KL_FAIL),
            f"{at} {far[0]:.3f} and {far[1]:.3f}; the 95th percentile of tokens {points[1]['kl_p95']:.2f}.",
            sample,
            float(moved.mean()),
            far,
        ),
        Metric(
            PERPLEXITY,
            judged(passes=worse[1] <= PERPLEXITY_PASS, fails=worse[0] > PERPLEXITY_FAIL),
            f"{at} {worse[0]:.3f} and {worse[1]:.3f}.",
            sample,
            float(rise.mean()),
            worse,
            ("log-perplexity without steering", float(reading.nll[:, 0].mean())),
        ),
    ], points


def _point(reading: NeutralReading, column: int, strength: float) -> dict[str, Any]:
    tokens = reading.token_divergence[:, column]
    return {
        "strength": strength,
        "log_perplexity": rounded(float(reading.nll[:, column].mean())),
        "entropy": rounded(float(reading.entropy[:, column].mean())),
        "kl": rounded(float(reading.divergence[:, column].mean())),
        "kl_p95": rounded(float(np.percentile(tokens, 95))),
        "kl_max": rounded(float(tokens.max())),
    }
