"""Whether scorers that read in different ways see the same change: one of them alone can be fooled.

`judges` makes them; the replies are those of `response`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from steering_core.evaluation.dose import CONTROL_STRENGTH
from steering_core.evaluation.evidence import (
    MIN_ITEMS,
    Definition,
    Metric,
    Resampling,
    Sample,
    judged,
    pairs_for,
    rounded,
    too_few,
)
from steering_core.evaluation.judges import Judge
from steering_core.evaluation.statistics import Interval

LEAST_FAMILIES = 2
ENDS = (-CONTROL_STRENGTH, 0.0, CONTROL_STRENGTH)

SCORERS_AGREE = Definition(
    "scorers_agree",
    "causal",
    "Do scorers of different kinds see it?",
    "Families of scorers that see a rise from -0.3 to +0.3",
    f"passes if {LEAST_FAMILIES} families or more have a lower bound > 0 and none an upper bound < 0; fails "
    f"if {LEAST_FAMILIES} have an upper bound < 0, or the rise is ≤ 0 by the trait's own scorer",
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one family saw; means at -0.3, 0 and +0.3.

    Attributes:
        missing: replies that it could not read; they count as no change.
    """

    judge: Judge
    change: float
    interval: Interval
    means: tuple[float, ...]
    missing: int

    def to_json(self) -> dict[str, Any]:
        """As the report stores it."""
        return {
            "id": self.judge.id,
            "label": self.judge.label,
            "change": rounded(self.change),
            "low": rounded(self.interval[0]),
            "high": rounded(self.interval[1]),
            "means": [rounded(mean) for mean in self.means],
            "missing": self.missing,
        }


def seen_by(
    judge: Judge,
    prompts: Sequence[str],
    texts: Mapping[float, Sequence[str]],
    clusters: Sequence[str],
    resampling: Resampling,
) -> Seen:
    """Have one family read the replies at both ends and without steering.

    Args:
        texts: one reply per prompt at each of -0.3, 0 and +0.3.
    """
    written = [(prompt, reply) for end in ENDS for prompt, reply in zip(prompts, texts[end], strict=True)]
    scores = judge.read(written).reshape(len(ENDS), len(prompts))
    change, missing = np.nan_to_num(scores[2] - scores[0], nan=0.0), int(np.isnan(scores).sum())
    means = tuple(float(np.nanmean(row)) if np.isfinite(row).any() else np.nan for row in scores)
    return Seen(judge, float(change.mean()), resampling.over(clusters).mean(change), means, missing)


def scorers_agree(families: Sequence[Seen], sample: Sample, clusters: Sequence[str], n_pairs: int) -> Metric:
    """The verdict of what all families saw.

    Args:
        n_pairs: in the data set, to say how many would be enough.
    """
    up = [seen for seen in families if seen.interval[0] > 0]
    down = [seen for seen in families if seen.interval[1] < 0]
    own = [seen.change for seen in families if seen.judge.id == "scorer"]
    value, beside = float(len(up)), ("asked", float(len(families)))
    if reason := too_few(clusters):
        needed = pairs_for(MIN_ITEMS, len(clusters), n_pairs)
        return Metric(SCORERS_AGREE, "insufficient", reason, sample, value, beside=beside, needed=needed)
    if len(families) < LEAST_FAMILIES:
        reason = "Only one family of scorers could read the replies; shorten the prompts or give a scorer."
        return Metric(SCORERS_AGREE, "insufficient", reason, sample, value, beside=beside)
    fails = len(down) >= LEAST_FAMILIES or any(change <= 0 for change in own)
    verdict = judged(passes=len(up) >= LEAST_FAMILIES and not down and not fails, fails=fails)
    told = "; ".join(
        f"{seen.judge.id} {seen.change:+.2f} ({seen.interval[0]:+.2f} to {seen.interval[1]:+.2f})"
        for seen in families
    )
    return Metric(SCORERS_AGREE, verdict, f"{told}.", sample, value, beside=beside)
