"""Replies and scores at many strengths, or under many vectors, as rows of one batch.

The score is a trait scorer's on generated replies or, without one, the preference for the positive answer.
All rows of one prompt share their random numbers. `response` makes a curve of it, `controls` a null.
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
from steering_core.spec import Place

CONTROL_STRENGTH = 0.3

Floats = npt.NDArray[np.float64]
Additions = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Response:
    """Scores and coherence of held-out items at each strength, (n_items, n_strengths).

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

    def at(self, strength: float) -> Floats:
        """Scores of the items at one of the strengths."""
        return self.scores[:, self.strengths.index(strength)]


@dataclass(frozen=True, slots=True)
class Reply:
    """One generated reply."""

    prompt: str
    strength: float
    text: str


def replies(
    lm: LanguageModel,
    place: Place,
    prompts: Sequence[str],
    additions: Additions,
    *,
    max_new_tokens: int,
    seed: int,
    temperature: float = 0.8,
    progress: Callable[[float], None] | None = None,
) -> list[list[str]]:
    """One reply per prompt and addition, by prompt and then by addition.

    Args:
        additions: (n_additions, d_model), added at `place` at every position.
    """
    n = len(additions)
    texts = generate(
        lm,
        [prompt for prompt in prompts for _ in range(n)],
        additions={place: torch.from_numpy(additions).repeat(len(prompts), 1)},
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        progress=progress,
    )
    return [texts[i * n : (i + 1) * n] for i in range(len(prompts))]


def judge(
    score: Callable[[str, str], float], prompts: Sequence[str], texts: Sequence[Sequence[str]]
) -> Floats:
    """(n_prompts, n_additions), the score of each reply."""
    return np.array(
        [[score(prompt, text) for text in row] for prompt, row in zip(prompts, texts, strict=True)]
    )


def generated_response(
    lm: LanguageModel,
    place: Place,
    strengths: Sequence[float],
    additions: Additions,
    prompts: Sequence[str],
    clusters: Sequence[str],
    scorer: TraitScorer,
    *,
    max_new_tokens: int,
    seed: int,
    progress: Callable[[float], None],
) -> tuple[Response, list[list[str]]]:
    """Generate and score one reply per prompt and strength; the replies come with it."""
    texts = replies(
        lm, place, prompts, additions, max_new_tokens=max_new_tokens, seed=seed, progress=progress
    )
    response = Response(
        score=scorer.name,
        strengths=tuple(strengths),
        clusters=tuple(clusters),
        scores=judge(scorer.score, prompts, texts),
        coherence=judge(scorer.coherence, prompts, texts),
    )
    return response, texts


def propensity_response(
    lm: LanguageModel,
    place: Place,
    strengths: Sequence[float],
    additions: Additions,
    pairs: Sequence[EncodedPair],
    clusters: Sequence[str],
    progress: Callable[[float], None],
) -> Response:
    """The preference for the positive answer at every strength, teacher-forced."""
    found = propensities(lm, pairs, place, additions, progress)
    likelihood = (found.positive + found.negative) / 2
    unsteered = likelihood[:, [list(strengths).index(0.0)]]
    return Response(
        score="log_prob",
        strengths=tuple(strengths),
        clusters=tuple(clusters),
        scores=found.preference,
        coherence=np.exp(np.minimum(0.0, likelihood - unsteered)),
    )
