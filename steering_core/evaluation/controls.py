"""Controls: what vectors do that have no right to an effect, at the same norm and on the same items."""

import numpy as np

from steering_core.evaluation.dose import CONTROL_STRENGTH, Additions, Floats, judge, replies
from steering_core.evaluation.evidence import Definition, Metric, Sample, Section, judged, rounded, too_few
from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.subject import Findings, Subject, Tell

MIN_CONTROLS = 19

EFFECT = Definition(
    "effect",
    "causal",
    "Does it beat random vectors?",
    "Score at +0.3 minus score at -0.3",
    f"passes if the lower bound > 0 and the value > the largest of {MIN_CONTROLS} random vectors; else fails",
)


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """The vector's effect from -0.3 to +0.3 beside those of isotropic random vectors of equal norm."""
    response = found.response
    if response is None:
        reason = "The pairs have no prompts, so replies cannot be compared."
        return Section((Metric(EFFECT, "insufficient", reason, Sample(0, 0, "test")),))
    change = response.at(CONTROL_STRENGTH) - response.at(-CONTROL_STRENGTH)
    low, high = _control_scores(subject, isotropic(subject, subject.budget.random_controls), tell)
    effects = (high - low).mean(0)
    n, largest = len(effects), float(np.abs(effects).max())
    beside, sample = (f"largest of {n} random vectors", largest), Sample.of(response.clusters)
    interval, value = subject.resampling.over(response.clusters).mean(change), float(change.mean())
    reason = too_few(response.clusters) or ""
    if n < MIN_CONTROLS:
        reason = f"{n} random vectors were tried; a verdict needs {MIN_CONTROLS}."
    facts = {
        "n_vectors": n,
        "strength": CONTROL_STRENGTH,
        "effects": [rounded(e) for e in effects.tolist()],
        "points": [_spread(-CONTROL_STRENGTH, low), _spread(CONTROL_STRENGTH, high)],
        "kind": "isotropic, equal norm",
    }
    if reason:
        return Section((Metric(EFFECT, "insufficient", reason, sample, value, interval, beside),), facts)
    passed = interval[0] > 0 and value > largest
    found_out = f"The lower bound is {interval[0]:.2f} and the largest of the random vectors {largest:.2f}."
    return Section(
        (Metric(EFFECT, judged(passes=passed, fails=True), found_out, sample, value, interval, beside),),
        facts,
    )


def isotropic(subject: Subject, n: int) -> Additions:
    """(n, d_model), random directions with the norm that the vector has at strength 0.3."""
    rng = np.random.default_rng(subject.seed("controls"))
    drawn = rng.standard_normal((n, subject.lm.identity.d_model))
    scale = CONTROL_STRENGTH * subject.vector.residual_norms[subject.key]
    random: Additions = (drawn * scale / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return random


def _control_scores(subject: Subject, vectors: Additions, tell: Tell) -> tuple[Floats, Floats]:
    """(n_items, n_vectors) at minus and at plus each vector."""
    both, n = np.concatenate([-vectors, vectors]), len(vectors)
    if subject.scorer is None:
        _, items, _ = subject.test_items(subject.budget.n_items)
        scores = propensities(subject.lm, items, subject.place, both, tell).preference
    else:
        prompts, _ = subject.test_prompts(subject.budget.n_prompts)
        texts = replies(
            subject.lm,
            subject.place,
            prompts,
            both,
            max_new_tokens=subject.budget.max_new_tokens,
            seed=subject.seed("sampling"),
            progress=tell,
        )
        scores = judge(subject.scorer.score, prompts, texts)
    return scores[:, :n], scores[:, n:]


def _spread(strength: float, scores: Floats) -> dict[str, float | None]:
    """Median, lowest and highest of the random vectors' mean scores."""
    means = scores.mean(0)
    return {
        "strength": strength,
        "median": rounded(float(np.median(means))),
        "low": rounded(float(means.min())),
        "high": rounded(float(means.max())),
    }
