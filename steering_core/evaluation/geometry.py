"""Geometry: what the activations alone say of the direction. No forward pass beyond the extraction's own."""

import numpy as np

from steering_core.evaluation.evidence import Definition, Metric, Sample, Section, judged, too_few
from steering_core.evaluation.ranking import MIN_RATIO, Projections
from steering_core.evaluation.statistics import auroc_between
from steering_core.evaluation.subject import Findings, Subject, Tell
from steering_core.pairs.advice import LENGTH_AUROC

AUROC_PASS, AUROC_FAIL = 0.85, 0.5
MAX_PAIRS = 2000

AUROC = Definition(
    "auroc",
    "existence",
    "Does the direction exist?",
    "AUROC, held out, between groups",
    f"passes if the lower bound ≥ {AUROC_PASS} and length alone ≤ {LENGTH_AUROC}; fails if the lower bound "
    f"≤ {AUROC_FAIL}",
)
RATIO = Definition(
    "ratio",
    "existence",
    "Does the model tell the poles apart?",
    "Shift along the direction, share of the residual norm",
    f"passes if the lower bound ≥ {MIN_RATIO}; fails if the train ratio or the upper bound < {MIN_RATIO}",
)
_INDISTINCT = "The model hardly distinguishes the poles."


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """Separation and size of the shift on test pairs."""
    chosen = subject.shuffled(subject.data.test)[:MAX_PAIRS]
    clusters = [subject.cluster(i) for i in chosen]
    test = _projections(subject, "test", chosen)
    train = _projections(subject, "train", list(subject.data.train))
    return Section((_separation(subject, test, clusters, chosen), _shift(subject, test, clusters, train)))


def _projections(subject: Subject, split: str, chosen: list[int]) -> Projections:
    """Of some pairs of a split on the unit direction, in residual norms."""
    site, block = subject.place
    part = list(getattr(subject.data, split))
    rows = subject.statistics.rows(subject.pooling, site, block, subject.statistics.split(split))
    direction = subject.vector.directions[subject.key].astype(np.float64)
    axis = direction / np.linalg.norm(direction) / subject.vector.residual_norms[subject.key]
    kept = [part.index(i) for i in chosen]
    return Projections(
        *((rows.pole(pole).astype(np.float64) @ axis)[kept] for pole in ("positive", "negative"))
    )


def _separation(subject: Subject, test: Projections, clusters: list[str], chosen: list[int]) -> Metric:
    """AUROC of the positive over the negative test texts, beside that of their lengths."""
    value, sample = auroc_between(test.positive, test.negative, clusters), Sample.of(clusters)
    if reason := too_few(clusters):
        return Metric(AUROC, "insufficient", reason, sample, value)
    interval = subject.resampling.over(clusters).auroc(test.positive, test.negative)
    rows = [subject.data.pairs[i] for i in chosen]
    lengths = [
        np.array([len(ids) - row.prompt_length for row, ids in zip(rows, poles, strict=True)], np.float64)
        for poles in ([row.positive for row in rows], [row.negative for row in rows])
    ]
    by_length = auroc_between(lengths[0], lengths[1], clusters)
    by_length = max(by_length, 1 - by_length)
    verdict = judged(
        passes=interval[0] >= AUROC_PASS and by_length <= LENGTH_AUROC, fails=interval[0] <= AUROC_FAIL
    )
    note = "The direction may be one of length. " if by_length > LENGTH_AUROC else ""
    return Metric(
        AUROC,
        verdict,
        f"{note}The lower bound is {interval[0]:.2f}, and length alone tells the poles apart at "
        f"{by_length:.2f}. The direction comes from the train split, the pairs from the test split.",
        sample,
        value,
        interval,
        ("by length alone", by_length),
    )


def _shift(subject: Subject, test: Projections, clusters: list[str], train: Projections) -> Metric:
    """How far apart the poles of test pairs are along the direction, in residual norms."""
    shifts, sample = test.positive - test.negative, Sample.of(clusters)
    value = float(shifts.mean()) if clusters else None
    on_train = float((train.positive - train.negative).mean())
    beside = ("on the train pairs", on_train)
    interval = None if too_few(clusters) else subject.resampling.over(clusters).mean(shifts)
    if on_train < MIN_RATIO:
        reason = (
            f"{_INDISTINCT} On the train pairs the poles are {on_train:.4f} of the residual norm apart, less "
            f"than {MIN_RATIO}."
        )
        return Metric(RATIO, "fail", reason, sample, value, interval, beside)
    if interval is None:
        return Metric(RATIO, "insufficient", too_few(clusters) or "", sample, value, beside=beside)
    verdict = judged(passes=interval[0] >= MIN_RATIO, fails=interval[1] < MIN_RATIO)
    note = f"{_INDISTINCT} " if verdict == "fail" else ""
    return Metric(
        RATIO,
        verdict,
        f"{note}The bounds are {interval[0]:.3f} and {interval[1]:.3f}.",
        sample,
        value,
        interval,
        beside,
    )
