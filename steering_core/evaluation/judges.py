"""Families of scorers that read a reply in different ways, so that no trait is only what one scorer makes of
it.

All read with the unsteered model: a steered pass that judges its own reply would be circular. `agreement`
asks whether they say the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import numpy.typing as npt

from steering_core.errors import EvaluationError
from steering_core.evaluation.contexts import Contexts, examples_for, instructions_for
from steering_core.evaluation.number_answer import NumberReader
from steering_core.evaluation.propensity import log_likelihoods
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.subject import Subject
from steering_core.extraction.reading import read_activations
from steering_core.extraction.statistics import Reading, Rows
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import EncodedPair, encode_prompt, encode_reply
from steering_core.spec import Place, canonical_json, digest

AXIS_PAIRS = 64
# Of a judge model's next token; below it the judge has not answered with a number.
LEAST_NUMBER_MASS = 0.25

Floats = npt.NDArray[np.float64]
# (prompt, reply).
Written = tuple[str, str]


class Judge(Protocol):
    """One family of scorers; a judge model of one's own is one too."""

    @property
    def id(self) -> str:
        """A stable name."""

    @property
    def label(self) -> str:
        """What it does, for people."""

    def read(self, written: Sequence[Written]) -> Floats:
        """(n_replies,), higher is more of the trait; NaN for a reply that cannot be read, such as none."""


@dataclass(frozen=True, eq=False)
class FunctionJudge:
    """A judge that is a function of replies with at least one token."""

    id: str
    label: str
    function: Callable[[Sequence[Written]], Floats]

    def read(self, written: Sequence[Written]) -> Floats:
        """As `Judge.read`."""
        scores = np.full(len(written), np.nan)
        there = [i for i, (_, reply) in enumerate(written) if reply.strip()]
        if there:
            scores[there] = self.function([written[i] for i in there])
        return scores


@dataclass(frozen=True, eq=False)
class Axis:
    """A direction between the poles of train pairs, read as the mean over their answers.

    Attributes:
        middle: (d_model,), where the projection is 0.
        unit: (d_model,), scaled so that the mean of the positive answers is at 1, of the negative at -1.
    """

    place: Place
    middle: Floats
    unit: Floats


def judges_for(subject: Subject, prompts: Sequence[str]) -> list[Judge]:
    """All families that these prompts, pairs and scorer allow; none of them is the vector's own."""
    found: list[Judge] = []
    if subject.scorer is not None:
        found.append(scorer_judge(subject.scorer))
    tokens = subject.budget.max_new_tokens
    contexts = next(iter(instructions_for(subject, prompts, tokens)), None)
    contexts = contexts or examples_for(subject, prompts, tokens)
    if contexts is not None:
        found.append(log_prob_judge(subject.lm, contexts))
    found.append(probe_judge(subject.lm, axis_for(subject)))
    return found


def scorer_judge(scorer: TraitScorer) -> Judge:
    """The owner's scorer: exact rules, or word lists."""

    def read(written: Sequence[Written]) -> Floats:
        return np.array([scorer.score(*one) for one in written])

    return FunctionJudge("scorer", f"{scorer.label} by the rules of {scorer.name}", read)


def log_prob_judge(lm: LanguageModel, contexts: Contexts) -> Judge:
    """How much likelier the model finds a reply behind what asks for the positive pole, nats per token."""

    def read(written: Sequence[Written]) -> Floats:
        asked = [
            (context(prompt), encode_reply(lm, prompt, reply))
            for prompt, reply in written
            for context in (contexts.positive, contexts.negative)
        ]
        positive, negative = log_likelihoods(lm, asked).reshape(-1, 2).T
        found: Floats = positive - negative
        return found

    return FunctionJudge("log_prob", f"likelihood of the reply behind {contexts.label} for either pole", read)


def probe_judge(lm: LanguageModel, axis: Axis) -> Judge:
    """Where the model's own reading of a reply lies between the train poles, which are at -1 and 1."""

    def read(written: Sequence[Written]) -> Floats:
        texts = [_encoded(lm, *one) for one in written]
        rows = _response_means(lm, axis.place, texts).pole("positive")
        found: Floats = (rows - axis.middle) @ axis.unit
        return found

    return FunctionJudge("probe", "how the unsteered model reads the reply, on an axis of train pairs", read)


def local_judge(lm: LanguageModel, question: str, name: str = "judge") -> Judge:
    """A judge model that is asked for a number from 0 to 100; the score is its expectation.

    NaN where less than a quarter of the probability is on numbers: that is no answer.

    Args:
        question: with the places {question} and {answer}, as `eval_prompt` of a persona trait.
    Raises:
        EvaluationError: `evaluation.judge_question`, a place is missing; `evaluation.judge_numbers`, the
            model's tokenizer cannot write the numbers.
    Source: Persona Vectors, Chen et al. 2025, arXiv:2507.21509, `judge.py`; they read the 20 likeliest tokens
        of an API, this reads all numbers, also those of several tokens.
    """
    if absent := [place for place in ("{question}", "{answer}") if place not in question]:
        raise EvaluationError(
            f"the judge's question has no {' and no '.join(absent)}; it needs to see both",
            code="evaluation.judge_question",
        )
    reader = NumberReader(lm)

    def read(written: Sequence[Written]) -> Floats:
        asked = [
            encode_prompt(lm, question.replace("{question}", prompt).replace("{answer}", reply))
            for prompt, reply in written
        ]
        value, mass = reader.expected(asked)
        return np.where(mass >= LEAST_NUMBER_MASS, value, np.nan)

    return FunctionJudge(name, f"a number from 0 to 100 by {lm.identity.name}", read)


def axis_for(subject: Subject) -> Axis:
    """The mean difference of answers at the vector's block, read afresh from at most 64 train pairs.

    Not the vector: that may come from anywhere, and may be what is wrong.
    """
    pairs = [subject.data.pairs[i] for i in subject.shuffled(subject.data.train)[:AXIS_PAIRS]]
    texts = digest(canonical_json([[list(p.positive), list(p.negative)] for p in pairs]))
    name = f"judges/axis/{subject.lm.identity.model_hash}/{subject.key}/{texts}"
    return subject.once(name, lambda: axis_of(subject.lm, subject.place, pairs))


def axis_of(lm: LanguageModel, place: Place, pairs: Sequence[EncodedPair]) -> Axis:
    """The axis between the poles of pairs with prompts, at one place."""
    rows = _response_means(lm, place, pairs)
    positive, negative = (rows.pole(pole).astype(np.float64).mean(0) for pole in ("positive", "negative"))
    half = (positive - negative) / 2
    return Axis(place, (positive + negative) / 2, half / max(float(half @ half), np.finfo(float).tiny))


def _encoded(lm: LanguageModel, prompt: str, reply: str) -> EncodedPair:
    """A reply as both texts of a pair, which go through the model once."""
    before = encode_prompt(lm, prompt)
    ids = (*before, *encode_reply(lm, prompt, reply))[: lm.max_positions]
    return EncodedPair(ids, ids, len(before))


def _response_means(lm: LanguageModel, place: Place, pairs: Sequence[EncodedPair]) -> Rows:
    """Mean activations over the answers at one place, in memory."""
    site, block = place
    reading = Reading((site,), (block,), ("response_mean",))
    with TemporaryDirectory() as folder:
        rows = read_activations(lm, pairs, reading, Path(folder) / "rows").rows("response_mean", site, block)
        return Rows.of(rows.pole("positive"), rows.pole("negative"))
