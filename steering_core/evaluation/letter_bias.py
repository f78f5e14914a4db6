"""Whether a vector made of choices, such as (A) and (B), steers the trait or the letter.

Balanced letters do not settle it: Tan et al., arXiv 2407.12404, still find steering that depends on the
letter. `steerability` gives the slopes.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from steering_core.evaluation.axis import needed
from steering_core.evaluation.evidence import Definition, Metric, Sample, Verdict, pairs_for, rounded, too_few
from steering_core.evaluation.statistics import Floats
from steering_core.evaluation.subject import Subject
from steering_core.pairs.letters import options

BIAS = 0.5
# Beyond this share of one letter among the positive answers, letter and trait are one and the same.
ONE_LETTER = 0.9
MIN_PER_LETTER = 4

LETTER_BIAS = Definition(
    "letter_bias",
    "reliability",
    "Does it steer the letter?",
    "Largest difference of the slopes between letters, share of the mean slope",
    f"passes if ≤ {BIAS}; fails if one letter is positive in {ONE_LETTER:.0%} of the train pairs or more, or "
    "if the intervals show that items go the way of their letter",
)


def letter_bias(
    subject: Subject, chosen: Sequence[int], slopes: Floats
) -> tuple[Metric, list[dict[str, Any]]]:
    """Slopes by the letter of the positive answer, and how much of their variance the letter explains.

    Args:
        chosen: test pairs by their index in the data set.
        slopes: (n_items,), of the preference of each of them.
    """
    clusters = [subject.cluster(i) for i in chosen]
    of = [pair[0] if pair else None for pair in options([subject.pairs[i] for i in chosen])]
    by_letter = _by_letter(subject, of, slopes, clusters)
    sample = Sample.of(clusters)
    letter, share = _commonest(subject)
    if share >= ONE_LETTER:
        reason = (
            f"The positive answer is {letter} in {share:.0%} of the train pairs, so nothing tells the trait "
            "from the letter; give pairs in which each letter is as often the positive answer."
        )
        return Metric(LETTER_BIAS, "fail", reason, sample), by_letter
    known = [row for row in by_letter if row["n"] >= MIN_PER_LETTER]
    reason = too_few(clusters) or ""
    if reason or len(known) < 2:
        reason = reason or f"Fewer than two letters are the positive answer in {MIN_PER_LETTER} test items."
        return Metric(
            LETTER_BIAS, "insufficient", reason, sample, needed=_enough(subject, clusters)
        ), by_letter
    return _judged(known, of, slopes, sample), by_letter


def explained(groups: Sequence[str | None], values: Floats) -> float:
    """Share of the variance of the values that lies between groups, 0 to 1."""
    total = float(((values - values.mean()) ** 2).sum())
    if not total:
        return 0.0
    between = 0.0
    for name in set(groups):
        mine = values[[group == name for group in groups]]
        between += len(mine) * float(mine.mean() - values.mean()) ** 2
    return between / total


def _judged(
    known: Sequence[dict[str, Any]], of: Sequence[str | None], slopes: Floats, sample: Sample
) -> Metric:
    lowest, highest = (choose(known, key=lambda row: row["slope"]) for choose in (min, max))
    spread, mean = highest["slope"] - lowest["slope"], float(slopes.mean())
    value = spread / abs(mean) if mean else float("inf")
    follows = (highest["low"] or 0.0) > 0 > (lowest["high"] or 0.0)
    verdict: Verdict = "fail" if follows else "pass" if value <= BIAS else "warn"
    said = (
        f"The slope is {highest['slope']:.2f} where {highest['letter']} is the positive answer and "
        f"{lowest['slope']:.2f} where it is {lowest['letter']}; the letter explains "
        f"{explained(of, slopes):.0%} of the variance."
    )
    note = " It steers the letter and not the trait." if follows else ""
    return Metric(LETTER_BIAS, verdict, said + note, sample, value)


def _by_letter(
    subject: Subject, of: Sequence[str | None], slopes: Floats, clusters: Sequence[str]
) -> list[dict[str, Any]]:
    rows = []
    for letter in sorted({name for name in of if name}):
        mine = [i for i, name in enumerate(of) if name == letter]
        low, high = subject.resampling.over([clusters[i] for i in mine]).mean(slopes[mine])
        rows.append(
            {
                "letter": letter,
                "n": len(mine),
                "slope": rounded(float(slopes[mine].mean())),
                "low": rounded(low),
                "high": rounded(high),
            }
        )
    return rows


def _commonest(subject: Subject) -> tuple[str, float]:
    """The letter that is most often the positive answer of a train pair, and how often it is."""
    found = [pair[0] for pair in options([subject.pairs[i] for i in subject.data.train]) if pair]
    if not found:
        return "", 0.0
    letter, n = Counter(found).most_common(1)[0]
    return letter, n / len(found)


def _enough(subject: Subject, clusters: Sequence[str]) -> int | None:
    n_pairs = len(subject.data.order)
    return max(needed(subject, clusters) or 0, pairs_for(4 * MIN_PER_LETTER, len(clusters), n_pairs) or 0)
