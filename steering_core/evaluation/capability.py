"""What a model can still do under steering: questions with one right answer, before and after.

`choices` gives the log-probabilities; `side_effects` calls this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from steering_core.evaluation.choices import Options, encode_options, option_log_probs
from steering_core.evaluation.evidence import Definition, Metric, Sample, judged, rounded
from steering_core.evaluation.statistics import Interval
from steering_core.evaluation.subject import Subject
from steering_core.evaluation.suite import spread

DROP_PASS, DROP_FAIL = 0.02, 0.05
# With fewer, even a model that answers all alike is not shown to lose less than two points.
MIN_QUESTIONS = 140

CAPABILITY = Definition(
    "capability",
    "side_effects",
    "Does the model still know what it knew?",
    "Share of right answers that is lost at the recommended strength",
    f"passes if the upper bound ≤ {DROP_PASS}; fails if the lower bound > {DROP_FAIL}",
)

Flags = npt.NDArray[np.bool_]
_Z = 1.959964


@dataclass(frozen=True, eq=False)
class _Questions:
    topics: list[str]
    options: list[Options]


def capability(subject: Subject, strengths: Sequence[float]) -> tuple[Metric, list[dict[str, Any]]]:
    """The metric at the first strength, and a row of facts for each."""
    n = min(subject.budget.capability_items, len(subject.suite.capability))
    named = f"{subject.suite.digest}/{n}"
    questions = subject.once(f"capability questions/{named}", lambda: _questions(subject, n))
    if len(questions.options) < MIN_QUESTIONS:
        reason = (
            f"{len(questions.options)} questions; a verdict needs at least {MIN_QUESTIONS}: ask the operator "
            "to register a suite with that many for this base model."
        )
        sample = Sample.of(questions.topics, "suite")
        return Metric(CAPABILITY, "insufficient", reason, sample), []
    before = subject.once(f"capability unsteered/{named}", lambda: _right(subject, questions, [0.0]))[:, 0]
    after = _right(subject, questions, strengths)
    rows = [_row(s, before, after[:, i]) for i, s in enumerate(strengths)]
    return _metric(subject, questions, before, after[:, 0], strengths[0]), rows


def paired_drop(before: Flags, after: Flags) -> Interval:
    """95 % interval of the share that is lost, mean(before) - mean(after), of the same items.

    Wald's interval with one item added to each kind of change, so that no change at all is not taken for
    certain. Source: Bonett and Price, J. Educ. Behav. Stat. 37 (2012), 479-488.
    """
    n = len(before) + 2
    lost, gained = (int(kind.sum()) + 1 for kind in (before & ~after, ~before & after))
    drop = (lost - gained) / n
    reach = _Z * sqrt(((lost + gained) / n - drop**2) / n)
    return max(-1.0, drop - reach), min(1.0, drop + reach)


def _questions(subject: Subject, n: int) -> _Questions:
    encoded = [
        (item.topic, encode_options(subject.lm, item.prompt, item.reply_start, (item.right, *item.wrong)))
        for item in spread(subject.suite.capability, n)
    ]
    kept = [(topic, options) for topic, options in encoded if options]
    return _Questions([topic for topic, _ in kept], [options for _, options in kept])


def _right(subject: Subject, questions: _Questions, strengths: Sequence[float]) -> Flags:
    """(n_questions, n_strengths), whether the right answer is likelier than every wrong one."""
    found = option_log_probs(subject.lm, questions.options, subject.place, subject.additions(list(strengths)))
    return np.array([one[:, 0] > one[:, 1:].max(1) for one in found])


def _metric(subject: Subject, questions: _Questions, before: Flags, after: Flags, strength: float) -> Metric:
    """The interval is the hull of one that takes questions for independent and one that counts topics."""
    exact = paired_drop(before, after)
    drops = before.astype(float) - after
    by_topic = subject.resampling.over(questions.topics).mean(drops)
    interval = (float(np.nanmin([exact[0], by_topic[0]])), float(np.nanmax([exact[1], by_topic[1]])))
    lost, gained = int((before & ~after).sum()), int((~before & after).sum())
    return Metric(
        CAPABILITY,
        judged(passes=interval[1] <= DROP_PASS, fails=interval[0] > DROP_FAIL),
        f"At strength {strength:g}, {lost} of {len(before)} answers turn wrong and {gained} turn right; the "
        f"bounds of the loss are {interval[0]:.1%} and {interval[1]:.1%}.",
        Sample.of(questions.topics, "suite"),
        float(drops.mean()),
        interval,
        ("right without steering", float(before.mean())),
    )


def _row(strength: float, before: Flags, after: Flags) -> dict[str, Any]:
    low, high = paired_drop(before, after)
    return {
        "strength": strength,
        "right": rounded(float(after.mean())),
        "lost": int((before & ~after).sum()),
        "gained": int((~before & after).sum()),
        "low": rounded(low),
        "high": rounded(high),
    }
