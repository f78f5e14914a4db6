"""How much worse a model's text is at a strength than without steering, by nine criteria.

`window` searches for the strengths at which none of them is beyond its limits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from steering_core.evaluation.choices import Options, encode_options, option_log_probs
from steering_core.evaluation.composite import relevance
from steering_core.evaluation.diversity import distinct, foreign, longest_repeat, repeated, scripts_of
from steering_core.evaluation.dose import replies
from steering_core.evaluation.evidence import rounded
from steering_core.evaluation.neutral import NeutralTurns, read_neutral
from steering_core.evaluation.propensity import log_likelihoods
from steering_core.evaluation.statistics import ClusterBootstrap, Interval
from steering_core.evaluation.subject import Subject
from steering_core.evaluation.suite import spread
from steering_core.models.tokens import encode_prompt, encode_reply

MAX_PROMPTS, MAX_TURNS, MAX_ITEMS = 24, 24, 24

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Criterion:
    """A way in which text degrades, with its limits; a loss of 0 is as without steering.

    Attributes:
        id: the key of the value in the facts.
        loss: `rise`: the value minus that without steering; `fall`: the share of it that is lost; `factor`:
            the size of the logarithm of their ratio.
        inner: the loss that is allowed.
        outer: the loss beyond which the mean alone decides.
    """

    id: str
    label: str
    loss: Literal["rise", "fall", "factor"]
    inner: float
    outer: float


CRITERIA = (
    Criterion("log_perplexity", "log-perplexity of neutral text", "rise", 0.1, 0.25),
    # Twice as much as for neutral text: a style that the model seldom writes costs some of it by itself.
    Criterion("reply_log_perplexity", "log-perplexity of the replies without steering", "rise", 0.2, 0.4),
    Criterion("distinct_2", "different word pairs in a reply", "fall", 0.1, 0.2),
    Criterion("entropy", "entropy of the next token", "fall", 0.25, 0.5),
    Criterion("relevance", "content words of the prompt in the reply", "fall", 0.1, 0.2),
    Criterion("unended", "replies that do not end", "rise", 0.1, 0.25),
    Criterion("length", "length of the replies", "factor", math.log(2), math.log(4)),
    Criterion("foreign", "letters of other scripts", "rise", 0.02, 0.1),
    Criterion("valid_mass", "probability of the valid options", "fall", 0.15, 0.25),
    Criterion("coherence", "coherence", "fall", 0.05, 0.1),
)
# For log_prob, coherence is a perplexity, and a ninth more of it is as much as 0.95 of the sentences.
LIKELIHOOD = Criterion("coherence", "coherence", "fall", 0.1, 0.2)


@dataclass(frozen=True, slots=True)
class Loss:
    """One criterion at one strength.

    Attributes:
        interval: of the loss; NaN where there are too few items.
    """

    criterion: Criterion
    value: float
    interval: Interval

    @property
    def broken(self) -> bool:
        """Shown to be beyond the outer limit."""
        return self.interval[0] > self.criterion.outer

    @property
    def outside(self) -> bool:
        """Beyond the outer limit by the mean, or shown to be beyond the inner one."""
        return self.value > self.criterion.outer or self.interval[0] > self.criterion.inner

    @property
    def within(self) -> bool:
        """Within the inner limit by the mean."""
        return self.value <= self.criterion.inner

    @property
    def excess(self) -> float:
        """In outer limits."""
        return self.value / self.criterion.outer

    @property
    def label(self) -> str:
        """For people."""
        return self.criterion.label


@dataclass(frozen=True, eq=False)
class Degradation:
    """Text at one strength.

    Attributes:
        values: means, by name; more than what has a criterion.
    """

    strength: float
    values: dict[str, float]
    losses: tuple[Loss, ...]

    @property
    def broken(self) -> bool:
        """One criterion is shown to be far beyond its limit."""
        return any(loss.broken for loss in self.losses)

    @property
    def outside(self) -> bool:
        """One criterion puts this strength outside the window."""
        return any(loss.outside for loss in self.losses)

    @property
    def within(self) -> bool:
        """Every criterion is within its inner limit."""
        return all(loss.within for loss in self.losses)

    @property
    def limit(self) -> Loss:
        """The criterion that is furthest on the way to its limits, of those that are outside if any is."""
        return max(self.losses, key=lambda loss: (loss.outside, loss.excess))

    def to_json(self) -> dict[str, Any]:
        """A point of the curve."""
        point: dict[str, Any] = {name: rounded(value) for name, value in self.values.items()}
        beyond = [loss.criterion.id for loss in self.losses if loss.outside]
        return {"strength": self.strength, **point, "beyond": beyond}


@dataclass(frozen=True, eq=False)
class _Texts:
    """What was measured of each item at one strength, (n_items,) by name of the value."""

    of_replies: dict[str, Floats]
    of_turns: dict[str, Floats]
    of_items: dict[str, Floats]


class Bench:
    """Prompts, neutral turns and questions of one subject, and how they come out without steering."""

    def __init__(self, subject: Subject) -> None:
        self._subject, lm, suite = subject, subject.lm, subject.suite
        self.prompts, self.clusters = subject.test_prompts(min(MAX_PROMPTS, subject.budget.n_prompts))
        self._asked = {prompt: encode_prompt(lm, prompt) for prompt in self.prompts}
        self._turns = NeutralTurns.of(lm, spread(suite.neutral, MAX_TURNS))
        chosen = spread(suite.capability, MAX_ITEMS)
        encoded = [
            (item.topic, encode_options(lm, item.prompt, item.reply_start, (item.right, *item.wrong)))
            for item in chosen
        ]
        self._items: list[Options] = [one for _, one in encoded if one]
        topics = [topic for topic, one in encoded if one]
        self._bootstraps = [
            subject.resampling.over(clusters)
            for clusters in (self.clusters, [str(i) for i in range(len(self._turns))], topics)
        ]
        self._plain: Sequence[str] = ()
        self._scripts: frozenset[str] = frozenset()
        self._base: _Texts | None = None

    def at(self, strengths: Sequence[float]) -> list[Degradation]:
        """One for each strength; all of them are rows of one batch. Give strength 0 first of all."""
        written = self._written(strengths)
        if self._base is None:
            self._plain = written[list(strengths).index(0.0)]
            own = (*self._plain, *self.prompts, *(turn.reply for turn in self._subject.suite.neutral))
            self._scripts = scripts_of(own)
        found = self._measured(strengths, written)
        base = self._base = self._base or found[list(strengths).index(0.0)]
        return [self._degradation(s, texts, base) for s, texts in zip(strengths, found, strict=True)]

    def _written(self, strengths: Sequence[float]) -> list[list[str]]:
        subject = self._subject
        texts = replies(
            subject.lm,
            subject.place,
            self.prompts,
            subject.additions(strengths),
            max_new_tokens=subject.budget.max_new_tokens,
            seed=subject.seed("sampling"),
        )
        return [[row[i] for row in texts] for i in range(len(strengths))]

    def _measured(self, strengths: Sequence[float], written: Sequence[Sequence[str]]) -> list[_Texts]:
        subject = self._subject
        neutral = read_neutral(subject.lm, self._turns, subject.place, subject.additions(strengths))
        mass = self._valid_mass(strengths)
        return [
            _Texts(
                self._of_replies(texts),
                {"log_perplexity": neutral.nll[:, i], "entropy": neutral.entropy[:, i]},
                {"valid_mass": mass[:, i]},
            )
            for i, texts in enumerate(written)
        ]

    def _valid_mass(self, strengths: Sequence[float]) -> Floats:
        """(n_items, n_strengths), the probability that the options have together."""
        subject = self._subject
        found = option_log_probs(subject.lm, self._items, subject.place, subject.additions(strengths))
        return np.array([np.exp(one).sum(1) for one in found]).reshape(len(found), len(strengths))

    def _of_replies(self, texts: Sequence[str]) -> dict[str, Floats]:
        subject, prompts = self._subject, self.prompts
        tokens = [encode_reply(subject.lm, p, text) for p, text in zip(prompts, texts, strict=True)]
        columns = list(zip(self._plain, texts, strict=True))
        found = {
            "reply_log_perplexity": self._reply_nll(tokens),
            "relevance": relevance(prompts, columns, 0)[:, 1],
            "unended": [len(ids) >= subject.budget.max_new_tokens for ids in tokens],
            "length": [len(ids) for ids in tokens],
            "foreign": [foreign(text, self._scripts) for text in texts],
            "longest_repeat": [longest_repeat(ids) for ids in tokens],
            "repeated_4": [repeated(ids) for ids in tokens],
        }
        found |= {f"distinct_{n}": [distinct([ids], n) for ids in tokens] for n in (1, 2, 3)}
        if subject.scorer:
            found["coherence"] = [
                subject.scorer.coherence(p, text) for p, text in zip(prompts, texts, strict=True)
            ]
        return {name: np.array(values, float) for name, values in found.items()}

    def _reply_nll(self, tokens: Sequence[Sequence[int]]) -> Floats:
        """NaN for an empty reply."""
        nll = np.full(len(tokens), np.nan)
        there = [i for i, ids in enumerate(tokens) if ids]
        asked = [(self._asked[self.prompts[i]], tokens[i]) for i in there]
        nll[there] = -log_likelihoods(self._subject.lm, asked)
        return nll

    def _degradation(self, strength: float, texts: _Texts, base: _Texts) -> Degradation:
        values = {
            name: float(np.nanmean(found)) if np.isfinite(found).any() else math.nan
            for part in (texts.of_replies, texts.of_turns, texts.of_items)
            for name, found in part.items()
        }
        return Degradation(strength, values, tuple(self._losses(texts, base)))

    def _losses(self, texts: _Texts, base: _Texts) -> list[Loss]:
        parts = zip(
            (texts.of_replies, texts.of_turns, texts.of_items),
            (base.of_replies, base.of_turns, base.of_items),
            self._bootstraps,
            strict=True,
        )
        found = []
        for steered, plain, bootstrap in parts:
            for criterion in CRITERIA:
                if criterion.id in steered:
                    loss = loss_of(criterion, steered[criterion.id], plain[criterion.id], bootstrap)
                    found += [loss] if loss else []
        return found


def loss_of(criterion: Criterion, steered: Floats, plain: Floats, bootstrap: ClusterBootstrap) -> Loss | None:
    """What is lost of a value per item, (n_items,) each; None where it is not there without steering."""
    known = np.isfinite(plain)
    if not known.any() or (criterion.loss != "rise" and not plain[known].sum() > 0):
        return None
    # An item that was never measured counts on neither side; one that is no more counts as unchanged.
    after = np.where(known, np.where(np.isfinite(steered), steered, plain), 0.0)
    before = np.where(known, plain, 0.0)
    if criterion.loss == "rise":
        low, high = bootstrap.ratio(after - before, known.astype(float))
        return Loss(criterion, float((after - before).sum() / known.sum()), (low, high))
    low, high = bootstrap.ratio(after, before)
    ratio = float(after.sum() / before.sum())
    if criterion.loss == "fall":
        return Loss(criterion, 1 - ratio, (1 - high, 1 - low))
    return Loss(criterion, _factor(ratio), _factors(low, high))


def _factor(ratio: float) -> float:
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def _factors(low: float, high: float) -> Interval:
    """The interval of the size of a logarithm, from that of the ratio; from 0 if that holds 1."""
    sizes = sorted((_factor(low), _factor(high)))
    return (0.0 if low <= 1 <= high else sizes[0]), sizes[1]
