"""What a report is made of: definitions of metrics, what was found of each, and the section of one family.

A verdict comes from the bound of the interval and not from the point: pass if all of the interval is on the
good side of the rule, fail if all of it is beyond the other, warn between, insufficient where there is too
little data. Each family of metrics is a file beside this one; `families` lists them, `gates` sums them up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from steering_core.evaluation.statistics import ClusterBootstrap, Interval

Verdict = Literal["pass", "warn", "fail", "insufficient"]
# What a metric decides; one without a gate informs and decides nothing.
Gate = Literal["existence", "causal", "reliability", "side_effects", "safety", "transfer"]
# Where the numbers come from: a split of the data set, folds of it, or texts that the registry owns.
Source = Literal["train", "select", "test", "cross_fitted", "suite"]

MIN_ITEMS = 8
MIN_CLUSTERS = 5


@dataclass(frozen=True, slots=True)
class Definition:
    """What is asked, in which unit the answer comes, and the rule that judges it.

    Attributes:
        id: stable, the key in JSON and in docs/evaluation.md.
        rule: when it passes and when it fails, one sentence with the thresholds; "" where it is not judged.
    """

    id: str
    gate: Gate | None
    question: str
    label: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """How much stands behind a value; intervals count whole groups."""

    n: int
    n_groups: int
    source: Source

    @classmethod
    def of(cls, clusters: Sequence[str], source: Source = "test") -> "Sample":
        """Of one cluster label per item."""
        return cls(len(clusters), len(set(clusters)), source)


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the report.

    Attributes:
        reason: what was found against the rule, one or two sentences for people.
        beside: a label and the number to compare with.
        needed: for `insufficient`, about how many pairs of the data set would decide it, where that is known.
    """

    definition: Definition
    verdict: Verdict
    reason: str
    sample: Sample
    value: float | None = None
    interval: Interval | None = None
    beside: tuple[str, float] | None = None
    needed: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As the report stores it."""
        low, high = self.interval or (None, None)
        return {
            "id": self.definition.id,
            "gate": self.definition.gate,
            "question": self.definition.question,
            "label": self.definition.label,
            "rule": self.definition.rule,
            "value": rounded(self.value),
            "low": rounded(low),
            "high": rounded(high),
            "n": self.sample.n,
            "n_groups": self.sample.n_groups,
            "source": self.sample.source,
            "beside": {"label": self.beside[0], "value": rounded(self.beside[1])} if self.beside else None,
            "verdict": self.verdict,
            "reason": self.reason,
            "needed": self.needed,
        }


@dataclass(frozen=True, slots=True)
class Section:
    """What one family found.

    Attributes:
        facts: JSON-ready tables and curves behind the metrics; the page and the schema know their keys.
    """

    metrics: tuple[Metric, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are drawn."""

    n_resamples: int
    seed: int

    def over(self, clusters: Sequence[str]) -> ClusterBootstrap:
        """A bootstrap over these clusters."""
        return ClusterBootstrap(clusters, self.n_resamples, self.seed)


def judged(*, passes: bool, fails: bool) -> Verdict:
    """`warn` where the evidence lies between."""
    return "pass" if passes else "fail" if fails else "warn"


def rounded(value: float | None) -> float | None:
    """Six decimals, and None for what is not a finite number: reports stay readable and valid JSON."""
    return None if value is None or not np.isfinite(value) else round(float(value), 6)


def too_few(clusters: Sequence[str]) -> str | None:
    """Why these items cannot carry a verdict, or None if they can."""
    n_clusters = len(set(clusters))
    if len(clusters) >= MIN_ITEMS and n_clusters >= MIN_CLUSTERS:
        return None
    return (
        f"{len(clusters)} test items in {n_clusters} groups; "
        f"a verdict needs at least {MIN_ITEMS} in {MIN_CLUSTERS}."
    )


def pairs_for(wanted_items: int, n_items: int, n_pairs: int) -> int | None:
    """About how many pairs a data set needs so that `wanted_items` test items are in it, as it has now
    `n_items` of `n_pairs`; a fifth of them where it has none.
    """
    share = n_items / n_pairs if n_items and n_pairs else 0.2
    return int(np.ceil(wanted_items / share))
