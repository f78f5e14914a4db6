"""Dose and response: the score at every strength, beside random vectors of equal norm.

The score is a trait scorer's on generated replies or, without one, the preference for the positive answer.
Either way a `Response` comes out, and `metrics` judges it. All rows of one prompt share their random numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.scorer import TraitScorer
from steering_core.injection.generate import generate
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import EncodedPair
from steering_core.spec import Place, parse_site_key
from steering_core.vector import SteeringVector

CONTROL_STRENGTH = 0.3
SAMPLE_PROMPTS = 4
SAMPLE_PROMPTS_UNSCORED = 2

Floats = npt.NDArray[np.float64]
Additions = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Doses:
    """What is added: the vector at each strength, then each random vector at -0.3, then each at +0.3.

    Attributes:
        additions: (n_strengths + 2 n_controls, d_model).
    """

    strengths: tuple[float, ...]
    n_controls: int
    additions: Additions
    place: Place


@dataclass(frozen=True, slots=True)
class Response:
    """Scores of held-out items, (n_items, n_strengths), and of the random vectors, (n_items, n_controls).

    Attributes:
        score: the scorer's name, or `log_prob`.
        clusters: what an item's interval is clustered by.
        coherence: in [0, 1]; for `log_prob`, the perplexity of both answers at strength 0 over that at the
            strength.
    """

    score: str
    strengths: tuple[float, ...]
    clusters: tuple[str, ...]
    scores: Floats
    coherence: Floats
    control_low: Floats
    control_high: Floats

    def at(self, strength: float) -> Floats:
        """Scores of the items at one of the strengths."""
        return self.scores[:, self.strengths.index(strength)]


@dataclass(frozen=True, slots=True)
class Sample:
    """One generated reply."""

    prompt: str
    strength: float
    text: str


def doses(vector: SteeringVector, key: str, strengths: Sequence[float], n_controls: int, seed: int) -> Doses:
    """The vector at its strengths, and isotropic random vectors of the same norm as at ±0.3."""
    real = np.stack([vector.addition(s, key) for s in strengths])
    drawn = np.random.default_rng(seed).standard_normal((n_controls, real.shape[1]))
    scale = CONTROL_STRENGTH * vector.residual_norms[key] / np.linalg.norm(drawn, axis=1, keepdims=True)
    random = (drawn * scale).astype(np.float32)
    additions: Additions = np.concatenate([real, -random, random])
    return Doses(tuple(strengths), n_controls, additions, parse_site_key(key))


def generated_response(
    lm: LanguageModel,
    given: Doses,
    prompts: Sequence[str],
    clusters: Sequence[str],
    scorer: TraitScorer,
    *,
    max_new_tokens: int,
    seed: int,
    progress: Callable[[float], None],
) -> tuple[Response, list[Sample]]:
    """Generate and score one reply per prompt and dose, all in one batch."""
    texts = _write(lm, given, prompts, given.additions, max_new_tokens, seed, progress)
    scores = _judge(scorer.score, prompts, texts)
    n = len(given.strengths)
    coherence = _judge(scorer.coherence, prompts, [row[:n] for row in texts])
    response = Response(
        score=scorer.name,
        strengths=given.strengths,
        clusters=tuple(clusters),
        scores=scores[:, :n],
        coherence=coherence,
        control_low=scores[:, n : n + given.n_controls],
        control_high=scores[:, n + given.n_controls :],
    )
    return response, _samples(given, prompts[:SAMPLE_PROMPTS], texts)


def propensity_response(
    lm: LanguageModel,
    given: Doses,
    pairs: Sequence[EncodedPair],
    clusters: Sequence[str],
    progress: Callable[[float], None],
) -> Response:
    """The preference for the positive answer at every dose, teacher-forced."""
    found = propensities(lm, pairs, given.place, given.additions, progress)
    n, preference = len(given.strengths), found.preference
    likelihood = (found.positive + found.negative)[:, :n] / 2
    unsteered = likelihood[:, [given.strengths.index(0.0)]]
    return Response(
        score="log_prob",
        strengths=given.strengths,
        clusters=tuple(clusters),
        scores=preference[:, :n],
        coherence=np.exp(np.minimum(0.0, likelihood - unsteered)),
        control_low=preference[:, n : n + given.n_controls],
        control_high=preference[:, n + given.n_controls :],
    )


def samples_only(
    lm: LanguageModel,
    given: Doses,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    seed: int,
    progress: Callable[[float], None],
) -> list[Sample]:
    """Replies to at most two prompts at every strength, for people to read where there is no scorer."""
    few = prompts[:SAMPLE_PROMPTS_UNSCORED]
    real = given.additions[: len(given.strengths)]
    return _samples(given, few, _write(lm, given, few, real, max_new_tokens, seed, progress)) if few else []


def _write(
    lm: LanguageModel,
    given: Doses,
    prompts: Sequence[str],
    additions: Additions,
    max_new_tokens: int,
    seed: int,
    progress: Callable[[float], None],
) -> list[list[str]]:
    """Replies by prompt, then by dose."""
    n = len(additions)
    texts = generate(
        lm,
        [prompt for prompt in prompts for _ in range(n)],
        additions={given.place: torch.from_numpy(additions).repeat(len(prompts), 1)},
        max_new_tokens=max_new_tokens,
        seed=seed,
        progress=progress,
    )
    return [texts[i * n : (i + 1) * n] for i in range(len(prompts))]


def _judge(
    judge: Callable[[str, str], float], prompts: Sequence[str], texts: Sequence[Sequence[str]]
) -> Floats:
    return np.array(
        [[judge(prompt, text) for text in row] for prompt, row in zip(prompts, texts, strict=True)]
    )


def _samples(given: Doses, prompts: Sequence[str], texts: Sequence[Sequence[str]]) -> list[Sample]:
    return [
        Sample(prompt, strength, text)
        for prompt, row in zip(prompts, texts, strict=False)
        for strength, text in zip(given.strengths, row, strict=False)
    ]
