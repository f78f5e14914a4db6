"""Steers at the places that `ranking` puts first, on the select split only: the effect of each, a strength.

Late blocks separate the poles well without steering, so separation alone never decides where steering can be
tried. `choosing` puts the two together; the whole table goes into the report.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.ranking import ScoredPlace
from steering_core.evaluation.scorer import TraitScorer
from steering_core.injection.generate import generate
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import EncodedPair

MAX_PROBE_PAIRS = 24
STRENGTHS_TRIED = (0.1, 0.2, 0.3, 0.45)
MAX_STRENGTH_PROMPTS = 12
_MAX_PROBE_ROWS = 384

Floats = npt.NDArray[np.float64]


def generation_effects(
    lm: LanguageModel,
    places: Sequence[ScoredPlace],
    doses: Sequence[float],
    prompts: Sequence[str],
    scorer: TraitScorer,
    *,
    max_new_tokens: int,
    seed: int,
    progress: Callable[[float], None],
) -> list[float]:
    """Per place: (mean score at its dose - mean score at minus it) x mean coherence, over a few prompts."""
    few = list(prompts)[: max(6, min(16, _MAX_PROBE_ROWS // (2 * len(places))))]
    rows = [(i, sign * doses[i], prompt) for i in range(len(places)) for sign in (-1, 1) for prompt in few]
    texts = _replies(lm, places, rows, max_new_tokens, seed, progress)
    effects = []
    for i in range(len(places)):
        own = [(dose, p, text) for (at, dose, p), text in zip(rows, texts, strict=True) if at == i]
        change = 2 * np.mean([math.copysign(1, dose) * scorer.score(p, text) for dose, p, text in own])
        effects.append(float(change * np.mean([scorer.coherence(p, text) for _, p, text in own])))
    return effects


def propensity_effects(
    lm: LanguageModel,
    places: Sequence[ScoredPlace],
    doses: Sequence[float],
    pairs: Sequence[EncodedPair],
    progress: Callable[[float], None],
) -> list[float]:
    """Per place: mean change of the preference for the positive answer from minus its dose to its dose."""
    effects = []
    for done, (place, dose) in enumerate(zip(places, doses, strict=True), start=1):
        additions = np.stack([place.addition(-dose), place.addition(dose)])
        change = propensities(lm, pairs[:MAX_PROBE_PAIRS], place.at, additions).preference
        effects.append(float((change[:, 1] - change[:, 0]).mean()))
        progress(done / len(places))
    return effects


def generation_strength(
    lm: LanguageModel,
    place: ScoredPlace,
    prompts: Sequence[str],
    scorer: TraitScorer,
    *,
    max_new_tokens: int,
    seed: int,
    progress: Callable[[float], None],
) -> float:
    """Of four strengths the one with the largest gain in score over strength 0, times mean coherence."""
    few = list(prompts)[:MAX_STRENGTH_PROMPTS]
    rows = [(0, strength, prompt) for strength in (0.0, *STRENGTHS_TRIED) for prompt in few]
    texts = _replies(lm, [place], rows, max_new_tokens, seed, progress)
    judged = [(scorer.score(p, t), scorer.coherence(p, t)) for (*_, p), t in zip(rows, texts, strict=True)]
    means = np.array(judged).reshape(len(STRENGTHS_TRIED) + 1, len(few), 2).mean(1)
    return _best_strength(means[1:, 0] - means[0, 0], means[1:, 1])


def propensity_strength(lm: LanguageModel, place: ScoredPlace, pairs: Sequence[EncodedPair]) -> float:
    """The same by the preference for the positive answer; coherence is how likely both answers remain."""
    additions = np.stack([place.addition(strength) for strength in (0.0, *STRENGTHS_TRIED)])
    found = propensities(lm, pairs[:MAX_PROBE_PAIRS], place.at, additions)
    preference, likelihood = found.preference.mean(0), (found.positive + found.negative).mean(0) / 2
    coherence = np.exp(np.minimum(0.0, likelihood[1:] - likelihood[0]))
    return _best_strength(preference[1:] - preference[0], coherence)


def _best_strength(gains: Floats, coherence: Floats) -> float:
    return STRENGTHS_TRIED[int(np.argmax(gains * coherence))]


def _replies(
    lm: LanguageModel,
    places: Sequence[ScoredPlace],
    rows: Sequence[tuple[int, float, str]],
    max_new_tokens: int,
    seed: int,
    progress: Callable[[float], None],
) -> list[str]:
    """One reply for each (index of the place, strength, prompt)."""
    additions = {place.at: torch.zeros(len(rows), lm.identity.d_model) for place in places}
    for i, (at, strength, _) in enumerate(rows):
        additions[places[at].at][i] = torch.from_numpy(places[at].addition(strength))
    prompts = [prompt for *_, prompt in rows]
    return generate(
        lm, prompts, additions=additions, max_new_tokens=max_new_tokens, seed=seed, progress=progress
    )
