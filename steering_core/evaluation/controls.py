"""Controls: what vectors do that have no right to an effect, on the same items and with the same random
numbers.

`nulls` draws them; here they are measured and the vector is held against them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from steering_core.evaluation.dose import CONTROL_STRENGTH, Additions, Floats, Response, judge, replies
from steering_core.evaluation.evidence import (
    MIN_ITEMS,
    Definition,
    Metric,
    Sample,
    Section,
    Verdict,
    judged,
    pairs_for,
    rounded,
    too_few,
)
from steering_core.evaluation.nulls import ISOTROPIC, SIGN_FLIP, WRONG_CONCEPT, null_additions
from steering_core.evaluation.propensity import padded, propensities
from steering_core.evaluation.statistics import Interval
from steering_core.evaluation.subject import Findings, Subject, Tell
from steering_core.injection.hooks import steer_rows

MIN_CONTROLS = 19
MAX_P = 0.05
CLEAR_FACTOR = 2.0
# Vectors are many, so each is tried on this many items at most.
CONTROL_ITEMS = 12
ZERO_ITEMS = 8

EFFECT = Definition(
    "effect",
    "causal",
    "Does it beat vectors that have no right to an effect?",
    "Score at +0.3 minus score at -0.3",
    f"passes if the lower bound > 0, p ≤ {MAX_P} against {MIN_CONTROLS} isotropic, {MIN_CONTROLS} "
    f"covariance-matched and {MIN_CONTROLS} sign-flipped vectors, and the value ≥ {CLEAR_FACTOR:g} times the "
    "95th percentile of each; warns if it misses that factor alone; else fails",
)
ZERO = Definition(
    "zero",
    "causal",
    "Does strength 0 change nothing?",
    "Largest change of a logit with the hook installed at strength 0",
    "passes if every logit is the same, bit for bit; else fails",
)
_UNTRIED = "The pairs have no prompts, so replies cannot be compared."


@dataclass(frozen=True, eq=False)
class Null:
    """What vectors of one kind did.

    A vector and its opposite are equally without right, so each counts by the size of its effect, whichever
    its sign: a vector without effect then comes out above all of 19 one time in forty.

    Attributes:
        effects: (n_vectors,), each one's mean change of score from -0.3 to +0.3.
    """

    kind: str
    effects: Floats

    @property
    def percentile_95(self) -> float:
        """Of the sizes of the effects."""
        return float(np.percentile(np.abs(self.effects), 95))

    def p(self, effect: float) -> float:
        """Chance of an effect as large among vectors of this kind; at least 1 / (n + 1)."""
        return float((1 + (np.abs(self.effects) >= effect).sum()) / (len(self.effects) + 1))

    def to_json(self, effect: float) -> dict[str, Any]:
        """An effect held against these, as the report stores it."""
        spread, most = float(self.effects.std(ddof=1)) if len(self.effects) > 1 else 0.0, self.percentile_95
        return {
            "kind": self.kind,
            "n": len(self.effects),
            "p": rounded(self.p(effect)),
            "percentile_95": rounded(most),
            "ratio": rounded(effect / most) if most else None,
            "z": rounded((effect - float(self.effects.mean())) / spread) if spread else None,
        }


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """The vector's effect from -0.3 to +0.3 beside those of vectors drawn at random, and that of strength
    0.
    """
    zero = _zero(subject)
    response = found.response
    if response is None:
        return Section((Metric(EFFECT, "insufficient", _UNTRIED, Sample(0, 0, "test")), zero))
    vectors = null_additions(subject, subject.budget.random_controls)
    low, high = _null_scores(subject, np.concatenate(list(vectors.values())), tell)
    nulls = _by_kind(vectors, (high - low).mean(0))
    change = response.at(CONTROL_STRENGTH) - response.at(-CONTROL_STRENGTH)
    effect = float(change[: len(low)].mean())
    isotropic = slice(0, len(vectors[ISOTROPIC]))
    facts = {
        "n_vectors": len(nulls[0].effects),
        "strength": CONTROL_STRENGTH,
        "effects": [rounded(e) for e in nulls[0].effects.tolist()],
        "points": [
            _spread(-CONTROL_STRENGTH, low[:, isotropic]),
            _spread(CONTROL_STRENGTH, high[:, isotropic]),
        ],
        "kind": "isotropic, equal norm",
        "n_items": len(low),
        "effect_on_items": rounded(effect),
        "nulls": [null.to_json(effect) for null in nulls],
    }
    return Section((_effect(subject, response, nulls, effect), zero), facts)


def causal_verdict(lower: float, effect: float, nulls: Sequence[Null]) -> Verdict:
    """Pass, warn or fail by the rule of `effect`.

    Args:
        lower: bound of the interval of the effect.
        effect: on the items that the nulls were measured on.
    """
    beats = lower > 0 and all(null.p(effect) <= MAX_P for null in nulls)
    clearly = all(effect >= CLEAR_FACTOR * null.percentile_95 for null in nulls)
    return judged(passes=beats and clearly, fails=not beats)


def _effect(subject: Subject, response: Response, nulls: Sequence[Null], effect: float) -> Metric:
    change = response.at(CONTROL_STRENGTH) - response.at(-CONTROL_STRENGTH)
    sample, value = Sample.of(response.clusters), float(change.mean())
    interval: Interval = subject.resampling.over(response.clusters).mean(change)
    judging = [null for null in nulls if null.kind != WRONG_CONCEPT]
    hardest = max(judging, key=lambda null: null.percentile_95)
    beside = (f"95th percentile of {_named(hardest)}", hardest.percentile_95)
    if reason := too_few(response.clusters) or _missing(judging):
        needed = pairs_for(MIN_ITEMS, sample.n, len(subject.pairs)) if sample.n < MIN_ITEMS else None
        return Metric(EFFECT, "insufficient", reason, sample, value, interval, beside, needed)
    against = ", ".join(f"{null.p(effect):.2f} against {_named(null)}" for null in judging)
    return Metric(
        EFFECT,
        causal_verdict(interval[0], effect, judging),
        f"The lower bound is {interval[0]:.2f}. On {min(len(change), CONTROL_ITEMS)} items, where the effect "
        f"is {effect:.2f}, p is {against}; the largest 95th percentile is {hardest.percentile_95:.2f}.",
        sample,
        value,
        interval,
        beside,
    )


def _missing(nulls: Sequence[Null]) -> str | None:
    """Why these nulls cannot carry a verdict, or None if they can."""
    if all(null.kind != SIGN_FLIP for null in nulls):
        return "The train pairs are in too few groups, or differ too little, to swap their labels at random."
    n = min(len(null.effects) for null in nulls)
    return f"{n} vectors of a kind were tried; a verdict needs {MIN_CONTROLS}." if n < MIN_CONTROLS else None


def _named(null: Null) -> str:
    return f"{len(null.effects)} {null.kind.replace('_', '-')} vectors"


def _by_kind(vectors: Mapping[str, Additions], effects: Floats) -> list[Null]:
    ends = np.cumsum([len(drawn) for drawn in vectors.values()])
    return [Null(kind, part) for kind, part in zip(vectors, np.split(effects, ends[:-1]), strict=True)]


def _null_scores(subject: Subject, vectors: Additions, tell: Tell) -> tuple[Floats, Floats]:
    """(n_items, n_vectors) at minus and at plus each vector; the items are the response's first."""
    both, n = np.concatenate([-vectors, vectors]), len(vectors)
    if subject.scorer is None:
        _, items, _ = subject.test_items(min(CONTROL_ITEMS, subject.budget.n_items))
        scores = propensities(subject.lm, items, subject.place, both, tell).preference
    else:
        prompts, _ = subject.test_prompts(min(CONTROL_ITEMS, subject.budget.n_prompts))
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


def _zero(subject: Subject) -> Metric:
    """Whether a hook that adds nothing leaves the logits of a few test texts as they are."""
    _, items, clusters = subject.test_items(ZERO_ITEMS)
    if not items:
        return Metric(ZERO, "insufficient", "There are no test texts.", Sample(0, 0, "test"))
    ids = padded([item.positive for item in items]).to(subject.lm.device)
    nothing = torch.from_numpy(subject.additions([0.0])).repeat(len(ids), 1)
    with torch.inference_mode():
        plain = subject.lm.model(input_ids=ids, use_cache=False).logits
        with steer_rows(subject.lm, {subject.place: nothing}):
            hooked = subject.lm.model(input_ids=ids, use_cache=False).logits
    same = torch.equal(plain, hooked)
    # A logit that is not a number differs from itself, so the verdict is not left to the largest change.
    change = float((plain.float() - hooked.float()).abs().max())
    said = "The logits of all of them are" if same else "The logits are not"
    return Metric(
        ZERO,
        judged(passes=same, fails=not same),
        f"{said} the same, bit for bit, on {len(ids)} texts.",
        Sample.of(clusters),
        change,
    )


def _spread(strength: float, scores: Floats) -> dict[str, float | None]:
    """Median, lowest and highest of the random vectors' mean scores."""
    means = scores.mean(0)
    return {
        "strength": strength,
        "median": rounded(float(np.median(means))),
        "low": rounded(float(means.min())),
        "high": rounded(float(means.max())),
    }
