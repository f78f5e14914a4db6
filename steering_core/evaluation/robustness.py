"""Robustness: what is left of the effect on domains that the direction never saw, under a system prompt, and
when the question comes in another form.

All of it by log-probabilities of the test pairs' own answers, so no reply is written and no scorer is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from steering_core.errors import ExtractionError, ModelError
from steering_core.evaluation.dose import CONTROL_STRENGTH, Additions, Floats
from steering_core.evaluation.evidence import (
    MIN_ITEMS,
    Definition,
    Metric,
    Resampling,
    Sample,
    Section,
    judged,
    pairs_for,
    rounded,
    too_few,
)
from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.statistics import Interval, slopes
from steering_core.evaluation.subject import Findings, Subject, Tell
from steering_core.extraction.derive import Recipe, derive
from steering_core.extraction.extract import MIN_TRAIN_PAIRS
from steering_core.extraction.methods import AXES
from steering_core.models.tokens import EncodedPair, encode_pair
from steering_core.models.turns import encode_prompt_after, encode_prompt_under
from steering_core.pairs.pair import RAW

RELATIVE_PASS, RELATIVE_FAIL = 0.5, 0.2
# In each half of the domains, and in each condition.
SHIFT_ITEMS = 24
WRAPPER = "Here is a question that someone sent us.\n\n{prompt}\n\nPlease answer it."
_STRENGTHS = (-CONTROL_STRENGTH, 0.0, CONTROL_STRENGTH)
_RULE = (
    f"passes if the smallest share ≥ {RELATIVE_PASS} with a lower bound > 0; fails if its upper bound < "
    f"{RELATIVE_FAIL}"
)

CROSS_DOMAIN = Definition(
    "cross_domain",
    "transfer",
    "Does it carry over to other domains?",
    "Slope of a direction from other domains, share of that of one from these",
    _RULE,
)
PROMPT_SHIFT = Definition(
    "prompt_shift",
    "transfer",
    "Does it still steer under a system prompt?",
    "Slope under an instruction, share of that without",
    _RULE,
)
FORMAT_SHIFT = Definition(
    "format_shift",
    "transfer",
    "Does it still steer when the question comes in another form?",
    "Slope in another form, share of that of the plain question",
    _RULE,
)
_NO_PROMPTS = "The pairs have no prompts, so answers cannot be compared."


@dataclass(frozen=True, eq=False)
class _Slopes:
    """What steering does to some items in one condition, and to the same items in the one to compare with.

    Attributes:
        shifted, base: (n_items,), nats per token and unit of strength.
        preference: mean preference for the positive answer without steering, nats per token.
    """

    name: str
    shifted: Floats
    base: Floats
    clusters: Sequence[str]
    preference: float | None = None


@dataclass(frozen=True, eq=False)
class _Relative:
    """`_Slopes` summed up: the share that is left, and the interval of what it is a share of."""

    slopes: _Slopes
    value: float
    interval: Interval
    base: Interval

    @classmethod
    def of(cls, found: _Slopes, resampling: Resampling) -> "_Relative":
        bootstrap, base = resampling.over(found.clusters), float(found.base.mean())
        value = float(found.shifted.mean()) / base if base else 0.0
        return cls(found, value, bootstrap.ratio(found.shifted, found.base), bootstrap.mean(found.base))

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.slopes.name,
            "slope": rounded(float(self.slopes.shifted.mean())),
            "base_slope": rounded(float(self.slopes.base.mean())),
            "relative": rounded(self.value),
            "low": rounded(self.interval[0]),
            "high": rounded(self.interval[1]),
            "preference": rounded(self.slopes.preference),
            "n": len(self.slopes.base),
        }


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """Domains where the pairs name two, system prompts where the scorer has words for them, and forms."""
    if not subject.has_prompts or not subject.data.test:
        return Section((Metric(FORMAT_SHIFT, "insufficient", _NO_PROMPTS, Sample(0, 0, "test")),))
    metrics, facts = [], dict[str, Any]()
    halves = domain_halves(subject)
    if halves is not None:
        metric, facts["domains"] = _across_domains(subject, halves, lambda f: tell(0.4 * f))
        metrics.append(metric)
    shifted, facts["conditions"] = _across_conditions(subject, lambda f: tell(0.4 + 0.6 * f))
    return Section((*metrics, *shifted), facts)


def domain_halves(subject: Subject) -> tuple[list[str], list[str]] | None:
    """The domains of the test pairs, in two halves of about as many groups; None for fewer than two domains.

    Which go together is drawn by seed, the largest first.
    """
    groups: dict[str, set[str]] = {}
    for i in _prompted(subject, subject.data.test):
        if subject.pairs[i].domain:
            groups.setdefault(subject.pairs[i].domain, set()).add(subject.cluster(i))
    if len(groups) < 2:
        return None
    halves: tuple[list[str], list[str]] = ([], [])
    for name in sorted(groups, key=lambda name: -len(groups[name])):
        min(halves, key=lambda half: sum(len(groups[own]) for own in half)).append(name)
    return halves


def _across_domains(
    subject: Subject, halves: tuple[list[str], list[str]], tell: Tell
) -> tuple[Metric, list[dict[str, Any]]]:
    """The directions of either half of the domains, each tried on the test items of both."""
    test = _prompted(subject, subject.data.test)
    items = [[i for i in test if subject.pairs[i].domain in half][:SHIFT_ITEMS] for half in halves]
    clusters = [[subject.cluster(i) for i in part] for part in items]
    sample = Sample.of(clusters[0] + clusters[1])
    if reason := next(filter(None, map(too_few, clusters)), None):
        needed = pairs_for(MIN_ITEMS, min(map(len, items)), len(subject.pairs))
        reason = f"Of one half of the domains there are {reason}"
        return Metric(CROSS_DOMAIN, "insufficient", reason, sample, needed=needed), []
    directions = [direction for half in halves if (direction := _direction(subject, half)) is not None]
    if len(directions) < len(halves):
        reason = f"One half of the domains has fewer than {MIN_TRAIN_PAIRS} train pairs that differ."
        return Metric(CROSS_DOMAIN, "insufficient", reason, sample), []
    rows = [subject.data.pairs[i] for i in items[0] + items[1]]
    additions = np.stack([sign * direction for direction in directions for sign in (-1, 1)])
    preference = propensities(subject.lm, rows, subject.place, additions.astype(np.float32), tell).preference
    # (n_items, 2), the slope under either half's direction.
    found = (preference[:, 1::2] - preference[:, ::2]) / (2 * CONTROL_STRENGTH)
    relatives = []
    for own, part in enumerate(np.split(found, [len(items[0])])):
        name = f"{', '.join(halves[1 - own])} → {', '.join(halves[own])}"
        measured = _Slopes(name, part[:, 1 - own], part[:, own], clusters[own])
        relatives.append(_Relative.of(measured, subject.resampling))
    nothing = "A direction of some of the domains does not move their own items, so nothing could carry over."
    return _judged(CROSS_DOMAIN, relatives, sample, nothing), [r.to_json() for r in relatives]


def _direction(subject: Subject, domains: Sequence[str]) -> Additions | None:
    """What the direction of these domains' train pairs adds at +0.3, by the vector's own method."""
    rows = zip(subject.statistics.split("train").tolist(), subject.data.train, strict=True)
    wanted = [row for row, i in rows if subject.pairs[i].domain in domains]
    if len(wanted) < MIN_TRAIN_PAIRS:
        return None
    method = subject.vector.provenance.method
    recipe = Recipe(method) if method in AXES else Recipe()
    pairs: npt.NDArray[np.int64] = np.array(wanted)
    try:
        found = derive(
            subject.statistics, recipe, subject.pooling, *subject.place, pairs=pairs, split_halves=0
        )
    except ExtractionError:  # the poles do not differ
        return None
    scale = CONTROL_STRENGTH * subject.vector.residual_norms[subject.key]
    added: Additions = (scale * found.vector / found.norm).astype(np.float32)
    return added


def _across_conditions(subject: Subject, tell: Tell) -> tuple[list[Metric], list[dict[str, Any]]]:
    """The vector on the same items as they are, under instructions, and in other forms."""
    indices = _prompted(subject, subject.data.test)[:SHIFT_ITEMS]
    kinds = {PROMPT_SHIFT: _instructed(subject, indices), FORMAT_SHIFT: _reshaped(subject, indices)}
    asked = {definition: shapes for definition, shapes in kinds.items() if shapes}
    conditions = {"plain": [subject.data.pairs[i] for i in indices]}
    for shapes in asked.values():
        conditions |= shapes
    fitting = [
        k
        for k in range(len(indices))
        if all(_longest(rows[k]) <= subject.lm.max_positions for rows in conditions.values())
    ]
    clusters = [subject.cluster(indices[k]) for k in fitting]
    sample = Sample.of(clusters)
    if reason := too_few(clusters):
        needed = pairs_for(MIN_ITEMS, len(fitting), len(subject.pairs))
        return [Metric(d, "insufficient", reason, sample, needed=needed) for d in asked], []
    found = _slopes_of(subject, {name: [rows[k] for k in fitting] for name, rows in conditions.items()}, tell)
    base, unsteered = found.pop("plain")
    relatives = {
        name: _Relative.of(_Slopes(name, shifted, base, clusters, preference), subject.resampling)
        for name, (shifted, preference) in found.items()
    }
    nothing = "The vector does not move the plain items, so nothing could carry over."
    metrics = [
        _judged(d, [relatives[name] for name in shapes], sample, nothing) for d, shapes in asked.items()
    ]
    plain = {"name": "plain", "slope": rounded(float(base.mean())), "preference": rounded(unsteered)}
    return metrics, [plain, *(relative.to_json() for relative in relatives.values())]


def _slopes_of(
    subject: Subject, conditions: Mapping[str, Sequence[EncodedPair]], tell: Tell
) -> dict[str, tuple[Floats, float]]:
    """Slopes of the items, and their mean preference without steering, in each condition."""
    rows = [row for part in conditions.values() for row in part]
    preference = propensities(subject.lm, rows, subject.place, subject.additions(_STRENGTHS), tell).preference
    zero = _STRENGTHS.index(0.0)
    return {
        name: (slopes(np.array(_STRENGTHS), part), float(part[:, zero].mean()))
        for name, part in zip(conditions, np.split(preference, len(conditions)), strict=True)
    }


def _instructed(subject: Subject, indices: Sequence[int]) -> dict[str, list[EncodedPair]]:
    """The items under a system prompt that asks for either pole; none where the scorer has no words for
    them.
    """
    if subject.scorer is None or not subject.scorer.instructions:
        return {}
    lm, (negative, positive) = subject.lm, subject.scorer.instructions[0]
    asked = {"asked for the negative pole": negative, "asked for the positive pole": positive}
    try:
        return {
            name: [
                _behind(encode_prompt_under(lm, system, subject.pairs[i].prompt), subject.data.pairs[i])
                for i in indices
            ]
            for name, system in asked.items()
        }
    except ModelError:  # a text spells one of the model's special tokens
        return {}


def _reshaped(subject: Subject, indices: Sequence[int]) -> dict[str, list[EncodedPair]]:
    """The items as the second turn of a conversation, and with words around the question."""
    lm, pairs = subject.lm, [subject.pairs[i] for i in indices]
    wrapped = [encode_pair(lm, replace(pair, prompt=WRAPPER.format(prompt=pair.prompt))) for pair in pairs]
    earlier = [subject.pairs[i] for i in _prompted(subject, subject.data.train)]
    if not earlier or any(pair.template == RAW for pair in pairs):
        return {"words around the question": wrapped}
    second = []
    for k, i in enumerate(indices):
        before = earlier[k % len(earlier)]
        # By turns, so that the earlier replies lean to neither pole.
        reply = (before.positive, before.negative)[k % 2]
        prompt = encode_prompt_after(lm, [(before.prompt, reply)], subject.pairs[i].prompt)
        second.append(_behind(prompt, subject.data.pairs[i]))
    return {"second turn": second, "words around the question": wrapped}


def _behind(prompt: Sequence[int], row: EncodedPair) -> EncodedPair:
    """The answers of a row behind another prompt."""
    positive, negative = ((*prompt, *ids[row.prompt_length :]) for ids in (row.positive, row.negative))
    return EncodedPair(positive, negative, len(prompt))


def _prompted(subject: Subject, part: Sequence[int]) -> list[int]:
    """The pairs with a prompt, in the order of the seed."""
    return [i for i in subject.shuffled(part) if subject.pairs[i].prompt]


def _longest(row: EncodedPair) -> int:
    return max(len(row.positive), len(row.negative))


def _judged(definition: Definition, relatives: Sequence[_Relative], sample: Sample, nothing: str) -> Metric:
    """By the smallest share; `nothing` is said where there is no effect to have a share of."""
    worst = min(relatives, key=lambda relative: relative.value)
    if any(not relative.base[0] > 0 for relative in relatives):
        return Metric(definition, "insufficient", nothing, sample)
    low, high = worst.interval
    return Metric(
        definition,
        judged(passes=worst.value >= RELATIVE_PASS and low > 0, fails=high < RELATIVE_FAIL),
        f"The smallest is {worst.value:.2f} ({worst.slopes.name}); its bounds are {low:.2f} and {high:.2f}.",
        sample,
        worst.value,
        worst.interval,
    )
