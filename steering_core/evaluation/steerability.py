"""Steerability: what steering does to the log-probability of the pairs' own answers. No judge, no replies.

Source: Tan et al., arXiv 2407.12404, with strengths in place of multipliers and per token, since answers
differ in length.
"""

import numpy as np

from steering_core.evaluation.dose import CONTROL_STRENGTH
from steering_core.evaluation.evidence import Definition, Metric, Sample, Section, judged, too_few
from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.statistics import clustered_proportion, slopes
from steering_core.evaluation.subject import Findings, Subject, Tell

ANTI_STEERABLE_PASS, ANTI_STEERABLE_LIMIT = 0.10, 0.25

STEERABILITY = Definition(
    "steerability",
    "causal",
    "Does it move what the model prefers?",
    "Slope of the log-probability gap, nats per token and unit of strength",
    "passes if the lower bound > 0; fails if the upper bound ≤ 0",
)
ANTI_STEERABLE = Definition(
    "anti_steerable",
    "reliability",
    "How often does it backfire?",
    "Share of test items that move the wrong way",
    f"passes if the share ≤ {ANTI_STEERABLE_PASS} and the upper bound ≤ {ANTI_STEERABLE_LIMIT}; fails if the "
    f"lower bound > {ANTI_STEERABLE_LIMIT}",
)


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """Slope of the preference per test item, and the share of items whose slope is negative."""
    if not subject.has_prompts or not subject.data.test:
        reason = "The pairs have no prompts, so answers cannot be compared."
        none = Sample(0, 0, "test")
        return Section(tuple(Metric(d, "insufficient", reason, none) for d in (STEERABILITY, ANTI_STEERABLE)))
    strengths = [s for s in subject.budget.strengths if abs(s) <= CONTROL_STRENGTH]
    _, items, clusters = subject.test_items(subject.budget.n_items)
    preference = propensities(subject.lm, items, subject.place, subject.additions(strengths), tell).preference
    per_item, sample = slopes(np.array(strengths), preference), Sample.of(clusters)
    wrong = int((per_item < 0).sum())
    value, share = float(per_item.mean()), wrong / len(per_item)
    if reason := too_few(clusters) or "":
        return Section(
            (
                Metric(STEERABILITY, "insufficient", reason, sample, value),
                Metric(ANTI_STEERABLE, "insufficient", reason, sample, share),
            )
        )
    interval = subject.resampling.over(clusters).mean(per_item)
    slope = Metric(
        STEERABILITY,
        judged(passes=interval[0] > 0, fails=interval[1] <= 0),
        f"The bounds are {interval[0]:.2f} and {interval[1]:.2f}, over strengths within ±0.3.",
        sample,
        value,
        interval,
    )
    low, high = clustered_proportion(per_item < 0, clusters)
    passes = share <= ANTI_STEERABLE_PASS and high <= ANTI_STEERABLE_LIMIT
    anti = Metric(
        ANTI_STEERABLE,
        judged(passes=passes, fails=low > ANTI_STEERABLE_LIMIT),
        f"{wrong} of {len(per_item)} test items move the wrong way; the bounds are {low:.0%} and {high:.0%}.",
        sample,
        share,
        (low, high),
    )
    return Section((slope, anti))
