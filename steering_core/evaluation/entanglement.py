"""What else changes in the replies: other traits than the one that is meant, and how much replies differ.

One set of replies at minus the recommended strength, 0 and plus it serves both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from steering_core.evaluation.diversity import distinct, self_bleu
from steering_core.evaluation.dose import judge, replies
from steering_core.evaluation.evidence import (
    MIN_ITEMS,
    Definition,
    Metric,
    Sample,
    judged,
    pairs_for,
    rounded,
    too_few,
)
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.statistics import Interval, cluster_jackknife
from steering_core.evaluation.subject import Subject
from steering_core.models.tokens import encode_reply

MAX_PROMPTS = 24
# Of the trait's own effect.
MOST_BESIDE = 0.5
DISTINCT_PASS, DISTINCT_FAIL = 0.9, 0.75
# The safety screen asks that of harmful and harmless requests.
LEFT_OUT = "refusal"

ENTANGLEMENT = Definition(
    "entanglement",
    "side_effects",
    "Does it leave other traits alone?",
    "Root mean square of what other traits' scores change from minus to plus the recommended strength",
    f"passes if no other trait changes by more than {MOST_BESIDE} of what the own trait does; else warns",
)
DIVERSITY = Definition(
    "diversity",
    "side_effects",
    "Do replies still differ from each other?",
    "Different word pairs in all replies at the recommended strength, as a share of those without steering",
    f"passes if ≥ {DISTINCT_PASS}; fails if the upper bound < {DISTINCT_FAIL}",
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Replies:
    """Replies at minus a strength, 0 and plus it: by prompt, then by strength."""

    strength: float
    prompts: list[str]
    clusters: list[str]
    texts: list[list[str]]

    @classmethod
    def of(cls, subject: Subject, strength: float) -> "Replies":
        """To test prompts, 24 at most."""
        prompts, clusters = subject.test_prompts(min(MAX_PROMPTS, subject.budget.n_prompts))
        texts = replies(
            subject.lm,
            subject.place,
            prompts,
            subject.additions([-strength, 0.0, strength]),
            max_new_tokens=subject.budget.max_new_tokens,
            seed=subject.seed("sampling"),
        )
        return cls(strength, prompts, clusters, texts)

    @property
    def sample(self) -> Sample:
        """The prompts."""
        return Sample.of(self.clusters)

    def change(self, scorer: TraitScorer) -> Floats:
        """(n_prompts,), from minus to plus the strength."""
        scores = judge(scorer.score, self.prompts, self.texts)
        change: Floats = scores[:, 2] - scores[:, 0]
        return change


def entanglement(subject: Subject, written: Replies) -> tuple[Metric | None, dict[str, Any]]:
    """None where nothing scores the own trait, or any other: then nobody can say, and nobody is asked to."""
    own = subject.scorer
    others = {
        name: scorer
        for name, scorer in subject.suite.scorers.items()
        if name != LEFT_OUT and own is not None and scorer.name != own.name
    }
    if own is None or not others:
        return None, {}
    bootstrap = subject.resampling.over(written.clusters)
    changes = {name: written.change(scorer) for name, scorer in others.items()}
    means = {name: float(change.mean()) for name, change in changes.items()}
    intervals = {name: bootstrap.mean(change) for name, change in changes.items()}
    effect = abs(float(written.change(own).mean()))
    rms = sqrt(sum(mean**2 for mean in means.values()) / len(means))
    facts = {
        "own": rounded(effect),
        "rms": rounded(rms),
        "others": [
            {
                "trait": name,
                "change": rounded(means[name]),
                "low": rounded(intervals[name][0]),
                "high": rounded(intervals[name][1]),
            }
            for name in others
        ],
    }
    most = MOST_BESIDE * effect
    furthest = max(means, key=lambda name: abs(means[name]))
    told = f"Most moves {furthest}, by {means[furthest]:.2f}; allowed is {most:.2f}."
    reason = too_few(written.clusters)
    metric = Metric(
        ENTANGLEMENT,
        "insufficient" if reason else judged(passes=abs(means[furthest]) <= most, fails=False),
        reason or told,
        written.sample,
        rms,
        beside=("the trait itself", effect),
        needed=_needed(subject, written) if reason else None,
    )
    return metric, facts


def diversity(subject: Subject, written: Replies) -> tuple[Metric, dict[str, Any]]:
    """Distinct-2 over all replies; distinct-1, distinct-3 and self-BLEU are facts."""
    tokens = [
        [encode_reply(subject.lm, prompt, text) for text in row]
        for prompt, row in zip(written.prompts, written.texts, strict=True)
    ]
    facts = {"points": [_point(s, [row[i] for row in tokens]) for i, s in enumerate(_strengths(written))]}
    value = _ratio([row[1] for row in tokens], [row[2] for row in tokens])
    if reason := too_few(written.clusters):
        needed = _needed(subject, written)
        return Metric(DIVERSITY, "insufficient", reason, written.sample, value, needed=needed), facts

    def ratio(kept: npt.NDArray[np.bool_]) -> float:
        rows = [row for row, keep in zip(tokens, kept, strict=True) if keep]
        return _ratio([row[1] for row in rows], [row[2] for row in rows])

    interval: Interval = cluster_jackknife(written.clusters, ratio)
    metric = Metric(
        DIVERSITY,
        judged(passes=value >= DISTINCT_PASS, fails=interval[1] < DISTINCT_FAIL),
        f"Over {len(tokens)} replies; the bounds are {interval[0]:.2f} and {interval[1]:.2f}.",
        written.sample,
        value,
        interval,
    )
    return metric, facts


def _strengths(written: Replies) -> tuple[float, float, float]:
    return -written.strength, 0.0, written.strength


def _ratio(plain: Sequence[Sequence[int]], steered: Sequence[Sequence[int]]) -> float:
    return distinct(steered, 2) / distinct(plain, 2)


def _point(strength: float, texts: Sequence[Sequence[int]]) -> dict[str, Any]:
    found: dict[str, Any] = {"strength": strength, "self_bleu": rounded(self_bleu(texts))}
    return found | {f"distinct_{n}": rounded(distinct(texts, n)) for n in (1, 2, 3)}


def _needed(subject: Subject, written: Replies) -> int | None:
    return pairs_for(MIN_ITEMS, len(written.clusters), len(subject.pairs))
