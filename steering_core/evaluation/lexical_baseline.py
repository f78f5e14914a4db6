"""What else could tell the poles apart: words, length, the option letter, texts that train and test share.

A direction may be one of these and not of the trait. Numpy and the pairs' texts only; `geometry` asks.
"""

import math
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from steering_core.evaluation.axis import Axis
from steering_core.evaluation.evidence import Definition, Metric, Sample, rounded, too_few
from steering_core.evaluation.ranking import Projections
from steering_core.evaluation.statistics import Floats, auroc_between
from steering_core.pairs.advice import LENGTH_AUROC
from steering_core.pairs.letters import are_choices, options
from steering_core.pairs.lexical import weigh_sides
from steering_core.pairs.near import near_duplicates
from steering_core.pairs.pair import ContrastivePair

LEAKAGE = 0.3
NESTED = 0.9
MOST = 1e6

LENGTH = Definition(
    "length",
    "existence",
    "Is it more than length?",
    "AUROC of the length of the answers alone",
    f"passes if length alone ≤ {LENGTH_AUROC}; else warns, and is insufficient where {NESTED:.0%} of the "
    "longer answers are the shorter ones with words added",
)
LEAKS = Definition(
    "leakage",
    "existence",
    "Does it read length or letters?",
    "Correlation of the held-out score with log length or option letter",
    f"passes if no correlation is beyond ±{LEAKAGE}; else warns",
)
WORDS = Definition(
    "words",
    None,
    "Do words alone do as well?",
    "AUROC of a bag of words, held out, between groups",
    "passes if it is below that of the direction; else warns",
)
DUPLICATES = Definition(
    "duplicates",
    "existence",
    "Are the test texts new?",
    "Test pairs with a text of a train pair",
    "passes at 0; else fails",
)


def length(axis: Axis) -> Metric:
    """How well the length of the answers, in tokens, tells the poles apart; never below a half."""
    lengths = log_lengths(axis)
    value = auroc_between(lengths.positive, lengths.negative, axis.clusters)
    if reason := too_few(axis.clusters):
        return Metric(LENGTH, "insufficient", reason, axis.sample, _folded(value), needed=axis.needed)
    low, high = axis.subject.resampling.over(axis.clusters).auroc(lengths.positive, lengths.negative)
    low, high = (low, high) if value >= 0.5 else (1 - high, 1 - low)
    value = _folded(value)
    nested = float(np.mean([is_nested(pair) for pair in _pairs(axis)]))
    told = f"Length alone tells the poles apart at {value:.2f}"
    if value <= LENGTH_AUROC:
        return Metric(LENGTH, "pass", f"{told}.", axis.sample, value, (low, high))
    if nested >= NESTED:
        reason = (
            f"{told}, and {nested:.0%} of the pairs differ only by words that the longer answer adds, so "
            "that a trait cannot be told from length. Give pairs whose longer answer is not always the same "
            "pole."
        )
        return Metric(LENGTH, "insufficient", reason, axis.sample, value, (low, high))
    reason = f"{told}: the direction may be one of length. Pairs of like length would show that it is not."
    return Metric(LENGTH, "warn", reason, axis.sample, value, (low, high))


def leakage(axis: Axis) -> Metric:
    """Correlation of the held-out score with what it should not read, the strongest one; beside it d' once
    length is taken out.
    """
    if reason := too_few(axis.clusters):
        return Metric(LEAKS, "insufficient", reason, axis.sample, needed=axis.needed)
    found = correlations(axis)
    name = max(found, key=lambda key: abs(found[key]))
    said = ", ".join(f"{value:+.2f} with {key}" for key, value in found.items())
    return Metric(
        LEAKS,
        "pass" if abs(found[name]) <= LEAKAGE else "warn",
        f"Over all test texts the score correlates {said}.",
        axis.sample,
        found[name],
        beside=("d' without length", d_prime(without(axis.test, log_lengths(axis)))),
    )


def words(axis: Axis, axis_auroc: float | None) -> tuple[Metric, dict[str, Any]]:
    """A bag of words that never saw a text's group, beside the direction; and the words that weigh most."""
    data, chosen = axis.subject.data, axis.chosen
    weighed = weigh_sides([axis.subject.pairs[i] for i in (*chosen, *data.train)])
    seen = [row for row, index in enumerate(weighed.index) if index < len(chosen)]
    clusters = [axis.clusters[weighed.index[row]] for row in seen]
    positive, negative = weighed.positive[seen], weighed.negative[seen]
    value, sample = auroc_between(positive, negative, clusters), Sample.of(clusters, "cross_fitted")
    facts = {
        "bag_of_words_auroc": rounded(value),
        "positive_words": list(weighed.positive_words),
        "negative_words": list(weighed.negative_words),
    }
    reason = too_few(clusters)
    if reason or axis_auroc is None:
        return Metric(WORDS, "insufficient", reason or "", sample, value, needed=axis.needed), facts
    interval = axis.subject.resampling.over(clusters).auroc(positive, negative)
    said = f"Words alone reach {value:.2f} and the direction {axis_auroc:.2f}."
    return Metric(
        WORDS,
        "pass" if value < axis_auroc else "warn",
        said,
        sample,
        value,
        interval,
        ("the direction", axis_auroc),
    ), facts


def duplicates(axis: Axis) -> Metric:
    """Test pairs of which one text, with its prompt, stands in a train pair too."""
    subject = axis.subject
    train, test = ([subject.pairs[i] for i in part] for part in (subject.data.train, subject.data.test))
    if not test:
        return Metric(DUPLICATES, "insufficient", "There are no test pairs.", axis.sample, needed=axis.needed)
    known = {text for pair in train for text in _texts(pair)}
    shared = [pair for pair in test if not known.isdisjoint(_texts(pair))]
    # Near ones come in the order of the pairs, so what test pairs add are those like an earlier pair.
    near = near_duplicates(train + test) - near_duplicates(train)
    sample = Sample.of([subject.cluster(i) for i in subject.data.test])
    reason = (
        f"{len(shared)} of {len(test)} test pairs have a text of a train pair; give pairs that share a text "
        "one group, so that they stay in one split."
        if shared
        else "No test pair has a text of a train pair."
    )
    return Metric(
        DUPLICATES,
        "fail" if shared else "pass",
        reason,
        sample,
        len(shared),
        beside=("nearly like an earlier pair", near),
    )


def correlations(axis: Axis) -> dict[str, float]:
    """Of the score over all test texts with log length and, where answers are choices, with the letter."""
    scores, lengths = _both(axis.test), _both(log_lengths(axis))
    found = {"log length": _correlation(scores, lengths)}
    if are_choices(_pairs(axis)):
        chosen = [pair or ("", "") for pair in options(_pairs(axis))]
        letters = [[pair[pole] for pair in chosen] for pole in (0, 1)]
        first = min(letter for pole in letters for letter in pole if letter)
        is_first = [np.array([letter == first for letter in pole], np.float64) for pole in letters]
        found[f"letter {first}"] = _correlation(scores, np.concatenate(is_first))
    return found


def log_lengths(axis: Axis) -> Projections:
    """Log number of answer tokens of either pole, (n_test,) each."""
    rows = [axis.subject.data.pairs[i] for i in axis.chosen]
    return Projections(
        *(
            np.log([max(1, len(ids) - row.prompt_length) for row, ids in zip(rows, pole, strict=True)])
            for pole in ([row.positive for row in rows], [row.negative for row in rows])
        )
    )


def without(scores: Projections, confound: Projections) -> Projections:
    """The scores less what the confound predicts within the poles, so that the trait itself stays in."""
    centred = [
        np.concatenate([found.positive - found.positive.mean(), found.negative - found.negative.mean()])
        for found in (scores, confound)
    ]
    spread = float(centred[1] @ centred[1])
    slope = float(centred[0] @ centred[1]) / spread if spread else 0.0
    return Projections(
        scores.positive - slope * confound.positive, scores.negative - slope * confound.negative
    )


def d_prime(found: Projections) -> float:
    """Distance of the means in pooled standard deviations, cut at a million, where nothing spreads.

    Source: Green and Swets, Signal Detection Theory and Psychophysics (1966).
    """
    gap = float(found.positive.mean() - found.negative.mean())
    spread = math.sqrt((found.positive.var() + found.negative.var()) / 2)
    return float(np.clip(gap / spread, -MOST, MOST)) if spread else math.copysign(MOST, gap)


def is_nested(pair: ContrastivePair) -> bool:
    """Whether the longer text is the shorter one with words added anywhere, and none left out or replaced."""
    short, long = sorted((pair.positive.split(), pair.negative.split()), key=len)
    rest = iter(long)
    return len(short) < len(long) and all(word in rest for word in short)


def _pairs(axis: Axis) -> Sequence[ContrastivePair]:
    return [axis.subject.pairs[i] for i in axis.chosen]


def _texts(pair: ContrastivePair) -> set[tuple[str, str]]:
    prompt = unicodedata.normalize("NFC", pair.prompt)
    return {(prompt, unicodedata.normalize("NFC", text)) for text in (pair.positive, pair.negative)}


def _both(found: Projections) -> Floats:
    return np.concatenate([found.positive, found.negative])


def _correlation(one: Floats, other: Floats) -> float:
    """Pearson's, and 0 where one of them does not vary."""
    if not one.std() or not other.std():
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _folded(auroc: float) -> float:
    return max(auroc, 1 - auroc)
