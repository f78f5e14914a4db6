"""What asking does: a system prompt and worked examples against steering, on the same prompts by the same
score.

Each way counts from pole to pole: what is put in front of a prompt for the positive pole minus that for the
negative, against the strength minus its opposite. Its sentence comes first in every report.
Source: AxBench, Wu et al. 2025, arXiv:2501.17148, where prompting beat every steering method.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from steering_core.evaluation.contexts import Contexts, Ids, examples_for, instructions_for
from steering_core.evaluation.dose import Floats, Response, judge
from steering_core.evaluation.evidence import (
    MIN_ITEMS,
    Definition,
    Metric,
    Sample,
    Section,
    judged,
    pairs_for,
    rounded,
    too_few,
)
from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.response import measured_strength
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.statistics import Interval
from steering_core.evaluation.subject import Findings, Subject, Tell
from steering_core.injection.generate import generate
from steering_core.models.tokens import EncodedPair
from steering_core.spec import canonical_json, digest, seed_from

SELECT_PROMPTS = 8
WAYS = ("prompt", "few_shot")

PROMPTING = Definition(
    "prompting",
    None,
    "Would a prompt do as well?",
    "Effect of steering minus that of the best prompt, from pole to pole",
    "passes if the lower bound > 0; else warns",
)


@dataclass(frozen=True, eq=False)
class _Effects:
    """Per item from pole to pole, (n_items,): of steering, of each way of asking, of both together."""

    steer: Floats
    asked: Mapping[str, Floats]
    both: Floats


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """Four bars: steering, a system prompt, examples, steering with a prompt; and which does more."""
    response = found.response
    if response is None:
        reason = "Steering was not compared with a prompt: the pairs have no prompts."
        return Section((Metric(PROMPTING, "insufficient", reason, Sample(0, 0, "test")),))
    ways, prompts = _ways(subject, response), _prompts(subject, response)
    clusters = response.clusters[: len(prompts)]
    if not ways:
        reason = "Steering was not compared with a prompt: there is no room for one before these prompts."
        return Section((Metric(PROMPTING, "insufficient", reason, Sample.of(clusters)),))
    strength = measured_strength(subject, response)
    ask = _Asking(subject, ways, prompts, strength)
    asked = ask.written(subject.scorer, tell) if subject.scorer else ask.preferred(tell)
    steer = (response.at(strength) - response.at(-strength))[: len(prompts)]
    effects = _Effects(steer, asked, asked.pop("both"))
    facts = _facts(subject, effects, ways, prompts, clusters) | {"strength": strength}
    return Section((_verdict(subject, effects, ways, clusters),), facts)


def _prompts(subject: Subject, response: Response) -> list[str]:
    """Of the items of the response, in its order; of log-probabilities no more than replies are written."""
    most = subject.budget.n_prompts
    if subject.scorer is not None:
        return subject.test_prompts(most)[0]
    chosen, _, _ = subject.test_items(subject.budget.n_items)
    return [subject.pairs[i].prompt for i in chosen[:most]]


def _ways(subject: Subject, response: Response) -> dict[str, Contexts]:
    """The ways of asking that there is room for."""
    prompts, tokens = _prompts(subject, response), subject.budget.max_new_tokens
    if subject.scorer is None:
        _, items, _ = subject.test_items(subject.budget.n_items)
        tokens = max(
            len(ids) - item.prompt_length for item in items for ids in (item.positive, item.negative)
        )
    instructions = instructions_for(subject, prompts, tokens)
    ways = {"prompt": _best(subject, instructions), "few_shot": examples_for(subject, prompts, tokens)}
    return {name: contexts for name, contexts in ways.items() if contexts is not None}


def _best(subject: Subject, instructions: Sequence[Contexts]) -> Contexts | None:
    """The one that does most on prompts of the select split; nothing is tried where there is no choice."""
    prompts = list(dict.fromkeys(subject.pairs[i].prompt for i in subject.shuffled(subject.data.select)))
    if len(instructions) < 2 or subject.scorer is None or not prompts:
        return next(iter(instructions), None)
    few = prompts[:SELECT_PROMPTS]
    effects = [
        float(_Asking(subject, {"prompt": one}, few, 0.0).unsteered(subject.scorer)["prompt"].mean())
        for one in instructions
    ]
    return instructions[int(np.argmax(effects))]


@dataclass(frozen=True, eq=False)
class _Asking:
    """Prompts behind either pole of each way of asking."""

    subject: Subject
    ways: Mapping[str, Contexts]
    prompts: Sequence[str]
    strength: float

    def written(self, scorer: TraitScorer, tell: Tell) -> dict[str, Floats]:
        """Effects on the score of replies; `both` is the first way under the steering of its pole."""
        effects = self.unsteered(scorer)
        tell(0.7)
        first = next(iter(self.ways.values()))
        poles = self.subject.additions((-self.strength, self.strength)).repeat(len(self.prompts), axis=0)
        texts = self._replies(self._rows(first), self.subject.seed("sampling"), torch.from_numpy(poles))
        return effects | {"both": self._effect(scorer, texts)}

    def unsteered(self, scorer: TraitScorer) -> dict[str, Floats]:
        """Effect of each way without the vector; written once for all vectors of these pairs."""
        rows = [ids for contexts in self.ways.values() for ids in self._rows(contexts)]
        tokens = self.subject.budget.max_new_tokens
        key = digest(canonical_json([self.subject.lm.identity.model_hash, tokens, [list(r) for r in rows]]))
        texts = self.subject.once(f"prompting/{key}", lambda: self._replies(rows, seed_from(key, "sampling")))
        size = 2 * len(self.prompts)
        return {
            name: self._effect(scorer, texts[i * size : (i + 1) * size]) for i, name in enumerate(self.ways)
        }

    def preferred(self, tell: Tell) -> dict[str, Floats]:
        """Effects on the preference for the positive answer, where no scorer reads replies."""
        subject = self.subject
        _, items, _ = subject.test_items(subject.budget.n_items)
        effects: dict[str, Floats] = {}
        for name, contexts in self.ways.items():
            poles = []
            for context, strength in (
                (contexts.negative, -self.strength), (contexts.positive, self.strength),
            ):  # fmt: skip
                pairs = [_behind(context(p), item) for p, item in zip(self.prompts, items, strict=False)]
                additions = subject.additions((0.0, strength))
                poles.append(propensities(subject.lm, pairs, subject.place, additions).preference)
                tell(len(poles) / 2)
            change = poles[1] - poles[0]
            effects[name] = change[:, 0]
            effects.setdefault("both", change[:, 1])
        return effects

    def _rows(self, contexts: Contexts) -> list[Ids]:
        """All prompts behind the negative pole, then all behind the positive."""
        return [context(p) for context in (contexts.negative, contexts.positive) for p in self.prompts]

    def _replies(self, rows: list[Ids], seed: int, poles: torch.Tensor | None = None) -> list[str]:
        return generate(
            self.subject.lm,
            rows,
            additions=None if poles is None else {self.subject.place: poles},
            max_new_tokens=self.subject.budget.max_new_tokens,
            seed=seed,
        )

    def _effect(self, scorer: TraitScorer, texts: Sequence[str]) -> Floats:
        n = len(self.prompts)
        scores = judge(scorer.score, self.prompts, list(zip(texts[:n], texts[n:], strict=True)))
        effect: Floats = scores[:, 1] - scores[:, 0]
        return effect


def _behind(context: Ids, item: EncodedPair) -> EncodedPair:
    """The item's answers behind another prompt."""
    positive, negative = item.positive[item.prompt_length :], item.negative[item.prompt_length :]
    return EncodedPair(context + positive, context + negative, len(context))


def _most(effects: _Effects) -> str:
    """The way of asking that does most; chosen after the fact, which favours prompts over the vector."""
    return max(effects.asked, key=lambda name: float(effects.asked[name].mean()))


def _verdict(
    subject: Subject, effects: _Effects, ways: Mapping[str, Contexts], clusters: Sequence[str]
) -> Metric:
    best = _most(effects)
    label = ways[best].label
    difference = effects.steer - effects.asked[best]
    interval = subject.resampling.over(clusters).mean(difference)
    steer, prompt = float(effects.steer.mean()), float(effects.asked[best].mean())
    sample, beside = Sample.of(clusters), (f"with {label} alone", prompt)
    value = float(difference.mean())
    told = _sentence(steer, prompt, label, interval)
    on = f"from one pole to the other on {len(clusters)} prompts"
    if too_few(clusters):
        told = f"Too few prompts to say which does more: steering {steer:+.2f}, {label} {prompt:+.2f}, {on}."
        needed = pairs_for(MIN_ITEMS, len(clusters), len(subject.pairs))
        return Metric(PROMPTING, "insufficient", told, sample, value, interval, beside, needed)
    return Metric(
        PROMPTING,
        judged(passes=interval[0] > 0, fails=False),
        f"{told}, {on}.",
        sample,
        value,
        interval,
        beside,
    )


def _sentence(steer: float, prompt: float, label: str, interval: Interval) -> str:
    if interval[0] > 0:
        return f"Steering does more than the best prompt: {steer:+.2f} against {prompt:+.2f} with {label}"
    if interval[1] < 0:
        does = "does" if label.startswith("a ") else "do"
        asking = label[:1].upper() + label[1:]
        return f"{asking} {does} more than this vector: {prompt:+.2f} against {steer:+.2f}"
    return (
        f"No difference between steering and the best prompt could be shown: {steer:+.2f} against "
        f"{prompt:+.2f} with {label}"
    )


def _facts(
    subject: Subject,
    effects: _Effects,
    ways: Mapping[str, Contexts],
    prompts: Sequence[str],
    clusters: Sequence[str],
) -> dict[str, Any]:
    bootstrap = subject.resampling.over(clusters)

    def bar(values: Floats | None) -> dict[str, float | None] | None:
        if values is None:
            return None
        low, high = bootstrap.mean(values)
        return {"mean": rounded(float(values.mean())), "low": rounded(low), "high": rounded(high)}

    return {
        "unit": subject.scorer.label if subject.scorer else "log_prob",
        "n_prompts": len(prompts),
        "bars": {
            "steer": bar(effects.steer),
            **{name: bar(effects.asked.get(name)) for name in WAYS},
            "both": bar(effects.both),
        },
        "best": _most(effects),
        "beside": next(iter(ways)),
        "tokens_added": {
            name: rounded(contexts.added(subject.lm, prompts)) for name, contexts in ways.items()
        },
        "instruction": list(ways["prompt"].texts) if "prompt" in ways else None,
    }
