"""Vectors that have no right to an effect, by kind; each has the dose of the vector at strength 0.3 or less.

`controls` measures them. Numpy only, no forward pass.
"""

import numpy as np

from steering_core.evaluation.dose import CONTROL_STRENGTH, Additions, Floats
from steering_core.evaluation.subject import Subject
from steering_core.extraction.statistics import Indices

ISOTROPIC, COVARIANCE_MATCHED, SIGN_FLIP = "isotropic", "covariance_matched", "sign_flip"
WRONG_CONCEPT = "wrong_concept"
# Fewer groups have fewer than 128 ways, up to their sign, of swapping labels.
MIN_FLIP_GROUPS = 8


def null_additions(subject: Subject, n: int) -> dict[str, Additions]:
    """What is added at +0.3, (n, d_model) of each kind.

    isotropic: random directions of the vector's norm.
    covariance_matched: random directions that vary as the train activations do within each pole, of the
        vector's norm. Between the poles they differ by the trait, which would make the null one of the trait.
    sign_flip: mean differences of the train pairs with the labels of random groups swapped, each as long, in
        proportion to the vector, as it is beside the mean difference that the labels give. Stretched to the
        vector's norm they would be plus or minus the vector, since pair differences share one direction.
        Absent where the pairs are in too few groups or do not differ.
    wrong_concept: the directions of other traits at the same dose, where the subject has any.
    """
    # A stream of its own, apart from the one of the isotropic vectors.
    rng = np.random.default_rng([subject.seed("controls"), 1])
    dose = CONTROL_STRENGTH * subject.vector.residual_norms[subject.key]
    train = subject.statistics.split("train")
    site, block = subject.place
    rows = subject.statistics.rows(subject.pooling, site, block, train)
    positive, negative = (rows.pole(pole).astype(np.float64) for pole in ("positive", "negative"))
    drawn = {
        ISOTROPIC: isotropic(subject, n).astype(np.float64),
        COVARIANCE_MATCHED: dose * _units(_varying(positive, negative, n, rng)),
    }
    groups = subject.statistics.labels.groups[train]
    if (flipped := _flipped(positive - negative, groups, n, rng)) is not None:
        drawn[SIGN_FLIP] = dose * flipped
    others = [
        v.addition(CONTROL_STRENGTH, subject.key) for v in subject.others if subject.key in v.directions
    ]
    if others:
        drawn[WRONG_CONCEPT] = np.stack(others).astype(np.float64)
    return {kind: np.asarray(vectors, np.float32) for kind, vectors in drawn.items()}


def isotropic(subject: Subject, n: int) -> Additions:
    """(n, d_model), random directions with the norm that the vector has at strength 0.3."""
    rng = np.random.default_rng(subject.seed("controls"))
    scale = CONTROL_STRENGTH * subject.vector.residual_norms[subject.key]
    drawn = scale * _units(rng.standard_normal((n, subject.lm.identity.d_model)))
    return drawn.astype(np.float32)


def _varying(positive: Floats, negative: Floats, n: int, rng: np.random.Generator) -> Floats:
    """(n, d_model) with the covariance of the rows within their poles, without making that matrix."""
    within = np.concatenate([positive - positive.mean(0), negative - negative.mean(0)])
    mixed: Floats = rng.standard_normal((n, len(within))) @ within
    return mixed


def _flipped(differences: Floats, groups: Indices, n: int, rng: np.random.Generator) -> Floats | None:
    """(n, d_model), in units of the norm of the mean difference, and none longer than that."""
    names, of = np.unique(groups, return_inverse=True)
    norm = float(np.linalg.norm(differences.mean(0)))
    if len(names) < MIN_FLIP_GROUPS or not norm:
        return None
    signs = rng.choice([-1.0, 1.0], size=(n, len(names)))[:, of]
    means = signs @ differences / len(differences) / norm
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    shrunken: Floats = means / np.maximum(lengths, 1.0)
    return shrunken


def _units(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return units
