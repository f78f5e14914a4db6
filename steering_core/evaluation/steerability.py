"""Steerability: what steering does to the log-probability of the pairs' own answers. No judge, no replies.

Source: Tan et al., arXiv 2407.12404, with strengths in place of multipliers and per token, since answers
differ in length. Every strength of an item is a row of one batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from steering_core.evaluation.axis import needed
from steering_core.evaluation.dose import CONTROL_STRENGTH
from steering_core.evaluation.evidence import (
    Definition,
    Metric,
    Resampling,
    Sample,
    Section,
    judged,
    rounded,
    too_few,
)
from steering_core.evaluation.letter_bias import LETTER_BIAS, letter_bias
from steering_core.evaluation.lexical_baseline import MOST
from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.statistics import Floats, cluster_jackknife, clustered_proportion, slopes
from steering_core.evaluation.subject import Findings, Subject, Tell
from steering_core.models.tokens import EncodedPair
from steering_core.pairs.letters import are_choices

ANTI_STEERABLE_PASS, ANTI_STEERABLE_LIMIT = 0.10, 0.25
MONOTONE_PASS, MONOTONE_FAIL = 0.9, 0.5
LINEAR_PASS = 0.9
STEADY_PASS = 1.0
FLIPS_PASS = 0.05
# Answers count as of like length where the longer is at most a tenth longer.
LIKE_LENGTH = 1.1

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
MONOTONICITY = Definition(
    "monotonicity",
    None,
    "Does more strength move it further?",
    "Median rank correlation of an item's preference with strength",
    f"passes if ≥ {MONOTONE_PASS}; fails if < {MONOTONE_FAIL}",
)
LINEARITY = Definition(
    "linearity",
    None,
    "Is the effect proportional to the strength?",
    "R² of a straight line through the mean curve",
    f"passes if ≥ {LINEAR_PASS}; else warns",
)
STEADINESS = Definition(
    "steadiness",
    None,
    "Does it move all items alike?",
    "Mean slope over the standard deviation of the slopes",
    f"passes if the lower bound ≥ {STEADY_PASS:g}; fails if the upper bound ≤ 0",
)
FLIPS = Definition(
    "flip_rate",
    None,
    "Does it turn the choice round?",
    "Share of items that prefer the positive answer at +0.3 and the negative one at -0.3",
    f"passes if the lower bound ≥ {FLIPS_PASS}; else warns",
)
ALWAYS = (STEERABILITY, ANTI_STEERABLE, MONOTONICITY, LINEARITY, STEADINESS, FLIPS)


@dataclass(frozen=True, eq=False)
class Curves:
    """What each test item prefers at each strength.

    Attributes:
        strengths: rising, within ±0.3.
        preference: (n_items, n_strengths), how much likelier the positive answer is, nats per token.
        items: token ids of the items.
        clusters: of the items.
    """

    strengths: Floats
    preference: Floats
    items: Sequence[EncodedPair]
    clusters: list[str]

    @cached_property
    def slopes(self) -> Floats:
        """(n_items,), by least squares."""
        return slopes(self.strengths, self.preference)

    @cached_property
    def mean(self) -> Floats:
        """(n_strengths,), over items."""
        mean: Floats = self.preference.mean(0)
        return mean

    def at(self, strength: float) -> Floats:
        """(n_items,), the preference at one of the strengths."""
        column: Floats = self.preference[:, int(np.argmin(np.abs(self.strengths - strength)))]
        return column

    @property
    def sample(self) -> Sample:
        """The items."""
        return Sample.of(self.clusters)


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """Slopes of the preference per test item, and what they have in common; for choices, by letter."""
    choices = are_choices([subject.pairs[i] for i in subject.data.order])
    asked = (STEERABILITY, LETTER_BIAS, *ALWAYS[1:]) if choices else ALWAYS
    if not subject.has_prompts or not subject.data.test:
        reason = (
            "The pairs have no prompts, so answers cannot be compared; give pairs with prompts."
            if not subject.has_prompts
            else "No pair is left for the test; give more groups."
        )
        none, enough = Sample(0, 0, "test"), None if subject.data.test else needed(subject, [])
        return Section(tuple(Metric(d, "insufficient", reason, none, needed=enough) for d in asked))
    strengths = [s for s in subject.budget.strengths if abs(s) <= CONTROL_STRENGTH]
    chosen, items, clusters = subject.test_items(subject.budget.n_items)
    found_out = propensities(subject.lm, items, subject.place, subject.additions(strengths), tell)
    curves = Curves(np.array(strengths), found_out.preference, items, clusters)
    metrics, facts = list(_metrics(curves, subject.resampling, needed(subject, clusters))), _facts(curves)
    if choices:
        # Before what else decides the gate, so that the letter is what a reader is told of first.
        biased, facts["by_letter"] = letter_bias(subject, chosen, curves.slopes)
        metrics.insert(1, biased)
    facts["slope_of_sums"] = rounded(_slope_of_sums(curves, found_out.positive, found_out.negative))
    return Section(tuple(metrics), facts)


def _metrics(curves: Curves, resampling: Resampling, enough: int | None) -> tuple[Metric, ...]:
    if reason := too_few(curves.clusters):
        values = (
            float(curves.slopes.mean()),
            float((curves.slopes < 0).mean()),
            float(np.median(rank_correlations(curves))),
            linearity(curves),
        )
        given = dict(zip(ALWAYS, values, strict=False))
        return tuple(
            Metric(d, "insufficient", reason, curves.sample, given.get(d), needed=enough) for d in ALWAYS
        )
    return (
        _slope(curves, resampling),
        _anti_steerable(curves),
        _monotone(curves),
        _linear(curves),
        _steady(curves),
        _flips(curves),
    )


def _slope(curves: Curves, resampling: Resampling) -> Metric:
    interval = resampling.over(curves.clusters).mean(curves.slopes)
    return Metric(
        STEERABILITY,
        judged(passes=interval[0] > 0, fails=interval[1] <= 0),
        f"The bounds are {interval[0]:.2f} and {interval[1]:.2f}, over strengths within ±{CONTROL_STRENGTH}.",
        curves.sample,
        float(curves.slopes.mean()),
        interval,
    )


def _anti_steerable(curves: Curves) -> Metric:
    """Items with a negative slope; beside it those that prefer the positive answer less at +0.3 than at 0
    (Braun et al., arXiv 2505.22637).
    """
    wrong, n = int((curves.slopes < 0).sum()), len(curves.slopes)
    low, high = clustered_proportion(curves.slopes < 0, curves.clusters)
    passes = wrong / n <= ANTI_STEERABLE_PASS and high <= ANTI_STEERABLE_LIMIT
    forward = float((curves.at(CONTROL_STRENGTH) < curves.at(0.0)).mean())
    return Metric(
        ANTI_STEERABLE,
        judged(passes=passes, fails=low > ANTI_STEERABLE_LIMIT),
        f"{wrong} of {n} test items move the wrong way; the bounds are {low:.0%} and {high:.0%}.",
        curves.sample,
        wrong / n,
        (low, high),
        (f"from 0 to +{CONTROL_STRENGTH} alone", forward),
    )


def _monotone(curves: Curves) -> Metric:
    ranks = rank_correlations(curves)
    value, share = float(np.median(ranks)), float((ranks >= MONOTONE_PASS).mean())
    return Metric(
        MONOTONICITY,
        judged(passes=value >= MONOTONE_PASS, fails=value < MONOTONE_FAIL),
        f"{share:.0%} of the items reach {MONOTONE_PASS}; the mean curve has "
        f"{_spearman(curves, curves.mean):.2f}.",
        curves.sample,
        value,
    )


def _linear(curves: Curves) -> Metric:
    up, down = (_side(curves, sign) for sign in (1, -1))
    value = linearity(curves)
    return Metric(
        LINEARITY,
        "pass" if value >= LINEAR_PASS else "warn",
        f"The slope is {up:.2f} above strength 0 and {down:.2f} below.",
        curves.sample,
        value,
    )


def _steady(curves: Curves) -> Metric:
    interval = cluster_jackknife(curves.clusters, lambda kept: _steadiness(curves.slopes[kept]))
    standing = curves.at(0.0).std()
    moved = float((curves.at(CONTROL_STRENGTH) - curves.at(0.0)).mean())
    said = (
        f"; +{CONTROL_STRENGTH} moves them by {moved / standing:.2f} of how far apart they are"
        if standing
        else ""
    )
    return Metric(
        STEADINESS,
        judged(passes=interval[0] >= STEADY_PASS, fails=interval[1] <= 0),
        f"The bounds are {interval[0]:.2f} and {interval[1]:.2f}{said}.",
        curves.sample,
        _steadiness(curves.slopes),
        interval,
    )


def _flips(curves: Curves) -> Metric:
    flipped = (curves.at(CONTROL_STRENGTH) > 0) & (curves.at(-CONTROL_STRENGTH) < 0)
    low, high = clustered_proportion(flipped, curves.clusters)
    return Metric(
        FLIPS,
        "pass" if low >= FLIPS_PASS else "warn",
        f"{int(flipped.sum())} of {len(flipped)} items turn round; the bounds are {low:.0%} and {high:.0%}.",
        curves.sample,
        float(flipped.mean()),
        (low, high),
    )


def rank_correlations(curves: Curves) -> Floats:
    """(n_items,), Spearman's correlation of each item's preference with strength."""
    return np.array([_spearman(curves, row) for row in curves.preference])


def linearity(curves: Curves) -> float:
    """R² of the least-squares line through the mean curve; 0 for a flat one."""
    centred = curves.mean - curves.mean.mean()
    line = float(slopes(curves.strengths, curves.mean[None])[0]) * (
        curves.strengths - curves.strengths.mean()
    )
    total = float(centred @ centred)
    return 1 - float((centred - line) @ (centred - line)) / total if total else 0.0


def _facts(curves: Curves) -> dict[str, Any]:
    lengths = np.array(
        [
            (len(item.positive) - item.prompt_length) / (len(item.negative) - item.prompt_length)
            for item in curves.items
        ]
    )
    like = np.maximum(lengths, 1 / lengths) <= LIKE_LENGTH
    return {
        "curve": [
            {"strength": float(strength), "mean": rounded(float(mean))}
            for strength, mean in zip(curves.strengths, curves.mean, strict=True)
        ],
        "slope_above": rounded(_side(curves, 1)),
        "slope_below": rounded(_side(curves, -1)),
        "like_length": {
            "n": int(like.sum()),
            "slope": rounded(float(curves.slopes[like].mean())) if like.any() else None,
        },
    }


def _slope_of_sums(curves: Curves, positive: Floats, negative: Floats) -> float:
    """Mean slope of the gap between whole answers, in nats, which favours what makes answers short."""
    tokens = [
        np.array([len(ids) - item.prompt_length for item, ids in zip(curves.items, pole, strict=True)])
        for pole in ([i.positive for i in curves.items], [i.negative for i in curves.items])
    ]
    sums = positive * tokens[0][:, None] - negative * tokens[1][:, None]
    return float(slopes(curves.strengths, sums).mean())


def _side(curves: Curves, sign: int) -> float:
    """Slope of the mean curve over the strengths of one sign and 0."""
    kept = curves.strengths * sign >= 0
    return float(slopes(curves.strengths[kept], curves.mean[kept][None])[0])


def _steadiness(per_item: Floats) -> float:
    """Cut at a million, where all items move alike."""
    mean, spread = float(per_item.mean()), float(per_item.std())
    return float(np.clip(mean / spread, -MOST, MOST)) if spread else float(np.copysign(MOST, mean))


def _spearman(curves: Curves, values: Floats) -> float:
    """Rank correlation with the strengths, ties sharing their mean rank; 0 for a flat curve."""
    ranks = [_ranks(curves.strengths), _ranks(values)]
    centred = [rank - rank.mean() for rank in ranks]
    norms = float(np.linalg.norm(centred[0]) * np.linalg.norm(centred[1]))
    return float(centred[0] @ centred[1]) / norms if norms else 0.0


def _ranks(values: Floats) -> Floats:
    ranks: Floats = ((values[:, None] > values).sum(1) + (values[:, None] >= values).sum(1)) / 2
    return ranks
