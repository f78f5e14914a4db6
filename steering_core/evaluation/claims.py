"""What a file says of itself against what the train pairs show here: its norms, and how it was made.

A file can hold any tensor under any numbers; both are measured again, from stored activations alone.
"""

from typing import Any

import numpy as np

from steering_core.evaluation.axis import Axis, cosine
from steering_core.evaluation.evidence import Definition, Metric, Sample, judged, rounded, too_few

NORM_PASS, NORM_FAIL = 1.5, 2.0
LARGEST_COORDINATE = 0.5
PROVENANCE_PASS, PROVENANCE_FAIL = 0.9, 0.5
_CLAIMED = "mean_difference"

SCALE = Definition(
    "scale",
    "existence",
    "Are its norms what it says?",
    "Shift of the train pairs along the direction over the stored norm",
    f"passes if this and the residual norm are within a factor of {NORM_PASS} and no coordinate holds more "
    f"than {LARGEST_COORDINATE:.0%} of the squared norm; fails if one of the norms is off by more than "
    f"{NORM_FAIL:g}",
)
PROVENANCE = Definition(
    "provenance",
    "existence",
    "Was it made the way it says?",
    "Cosine with the mean difference of the train pairs",
    f"for a vector that says it is a mean difference: passes if ≥ {PROVENANCE_PASS}, fails if < "
    f"{PROVENANCE_FAIL}; decides nothing for another method or other pairs",
)
ELSEWHERE = Definition("provenance", None, PROVENANCE.question, PROVENANCE.label, PROVENANCE.rule)


def scale(axis: Axis) -> tuple[Metric, dict[str, Any]]:
    """How far the train pairs move along the direction, over its stored norm: 1 where the file is right."""
    subject, sample = axis.subject, _train(axis)
    vector, key = subject.vector, subject.key
    shifts = axis.train_differences @ axis.unit / vector.norm(key)
    shift, largest = float(shifts.mean()), float(np.max(axis.unit**2))
    here = subject.statistics.residual_norm(subject.place[1], subject.statistics.split("train"))
    residual = here / vector.residual_norms[key]
    facts = {
        "natural_shift": rounded(shift * vector.norm(key)),
        "residual_norm": rounded(here),
        "residual_norm_over_stored": rounded(residual),
        "largest_coordinate": rounded(largest),
        "principal_cosines": [rounded(value) for value in _principal_cosines(axis)],
    }
    beside = ("residual norm over the stored one", residual)
    if reason := too_few(axis.train_clusters):
        reason = reason.replace("test items", "train pairs")
        return Metric(SCALE, "insufficient", reason, sample, shift, beside=beside, needed=axis.needed), facts
    low, high = subject.resampling.over(axis.train_clusters).mean(shifts)
    verdict = judged(
        passes=_within(shift, NORM_PASS) and _within(residual, NORM_PASS) and largest <= LARGEST_COORDINATE,
        fails=high < 1 / NORM_FAIL or low > NORM_FAIL or not _within(residual, NORM_FAIL),
    )
    reason = (
        f"Along the direction the train pairs move by {shift:.3g} times its stored norm, and the residual "
        f"norm is {residual:.3g} times the stored one. The largest coordinate holds {largest:.0%} of the "
        "squared norm."
    )
    return Metric(SCALE, verdict, reason, sample, shift, (low, high), beside), facts


def provenance(axis: Axis) -> Metric:
    """Cosine with what the registry itself would extract from the train pairs at this place."""
    subject, sample = axis.subject, _train(axis)
    made = subject.vector.provenance
    value = cosine(axis.train_differences.mean(0), axis.unit)
    same_pairs = subject.statistics.dataset_digest in ("", made.dataset_digest) or not made.dataset_digest
    said = f"The cosine with the mean difference of the train pairs is {value:.2f}"
    if made.method != _CLAIMED or not same_pairs:
        why = f"the method is {made.method}" if same_pairs else "the vector was made from other pairs"
        return Metric(ELSEWHERE, "pass", f"{said}; {why}, so this decides nothing.", sample, value)
    verdict = judged(passes=value >= PROVENANCE_PASS, fails=value < PROVENANCE_FAIL)
    return Metric(PROVENANCE, verdict, f"{said}, which it says it is.", sample, value)


def _train(axis: Axis) -> Sample:
    return Sample.of(axis.train_clusters, "train")


def _principal_cosines(axis: Axis) -> list[float]:
    """Of the direction with the three axes along which texts differ most whatever their pole."""
    axes: list[float] = (np.linalg.svd(axis.texts, full_matrices=False)[2][:3] @ axis.unit).tolist()
    return axes


def _within(value: float, factor: float) -> bool:
    return 1 / factor <= value <= factor
