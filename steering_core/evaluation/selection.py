"""Chooses the block, on the select split only; the whole table of candidates goes into the report.

Late blocks separate the poles well without steering, so separation alone never decides where steering can be
tried.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.statistics import auroc
from steering_core.extraction.extract import Extracted
from steering_core.injection.generate import generate
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import EncodedPair

PROBE_STRENGTH = 0.3
MIN_RATIO = 0.02
MAX_CANDIDATES = 8
MAX_PROBE_PAIRS = 24
_MAX_PROBE_ROWS = 384
_CLOSE_AUROC = 0.02

Effects = dict[int, float]


@dataclass(frozen=True, slots=True)
class BlockScore:
    """One row of the selection table; `effect` is None where steering was not tried."""

    block: int
    auroc: float
    ratio: float
    effect: float | None


def candidates(found: Extracted) -> list[int]:
    """At most eight blocks worth trying, best separation first.

    In deep models the first tenth and the last fifth are left out. Blocks whose ratio is below 0.02 are left
    out while others remain.
    """
    n_layers = len(found.residual_norms)
    blocks = [b for b in range(n_layers) if found.ratios[b] > 0]
    if n_layers > MAX_CANDIDATES:
        blocks = [b for b in blocks if 0.1 * n_layers <= b < 0.8 * n_layers] or blocks
    blocks = [b for b in blocks if found.ratios[b] >= MIN_RATIO] or blocks
    separation = {b: auroc(found.select.positive[:, b], found.select.negative[:, b]) for b in blocks}
    return sorted(blocks, key=lambda b: (-separation[b], -found.ratios[b]))[:MAX_CANDIDATES]


def generation_effects(
    lm: LanguageModel,
    found: Extracted,
    blocks: Sequence[int],
    prompts: Sequence[str],
    scorer: TraitScorer,
    *,
    max_new_tokens: int,
    seed: int,
    progress: Callable[[float], None],
) -> Effects:
    """Per block: (mean score at +0.3 - mean score at -0.3) x mean coherence, over a few select prompts."""
    few = list(prompts)[: max(6, min(16, _MAX_PROBE_ROWS // (2 * len(blocks))))]
    rows = [(b, sign, prompt) for b in blocks for sign in (-1, 1) for prompt in few]
    additions = {("resid_post", b): torch.zeros(len(rows), lm.identity.d_model) for b in blocks}
    for i, (b, sign, _) in enumerate(rows):
        additions["resid_post", b][i] = torch.from_numpy(sign * natural_addition(found, b, PROBE_STRENGTH))
    texts = generate(
        lm,
        [prompt for *_, prompt in rows],
        additions=additions,
        max_new_tokens=max_new_tokens,
        seed=seed,
        progress=progress,
    )
    effects = {}
    for b in blocks:
        own = [(sign, prompt, text) for (at, sign, prompt), text in zip(rows, texts, strict=True) if at == b]
        change = 2 * np.mean([sign * scorer.score(prompt, text) for sign, prompt, text in own])
        effects[b] = float(change * np.mean([scorer.coherence(prompt, text) for _, prompt, text in own]))
    return effects


def propensity_effects(
    lm: LanguageModel,
    found: Extracted,
    blocks: Sequence[int],
    pairs: Sequence[EncodedPair],
    progress: Callable[[float], None],
) -> Effects:
    """Per block: mean change of the preference for the positive answer from -0.3 to +0.3, per unit of
    strength.
    """
    effects = {}
    for done, b in enumerate(blocks, start=1):
        addition = natural_addition(found, b, PROBE_STRENGTH)
        change = propensities(lm, pairs[:MAX_PROBE_PAIRS], b, np.stack([-addition, addition])).preference
        effects[b] = float((change[:, 1] - change[:, 0]).mean() / (2 * PROBE_STRENGTH))
        progress(done / len(blocks))
    return effects


def choose_block(found: Extracted, blocks: Sequence[int], effects: Effects) -> int:
    """The candidate with the largest effect; where none was tried, see below.

    Without effects: among the blocks whose AUROC is within 0.02 of the best, the one nearest to the middle,
        where
    published vectors work best.
    """
    if effects:
        return max(sorted(effects), key=lambda b: effects[b])
    separation = {b: auroc(found.select.positive[:, b], found.select.negative[:, b]) for b in blocks}
    close = [b for b in blocks if separation[b] >= max(separation.values()) - _CLOSE_AUROC]
    middle = (len(found.residual_norms) - 1) / 2
    return min(sorted(close), key=lambda b: abs(b - middle))


def table(found: Extracted, effects: Effects) -> list[BlockScore]:
    """One row per block of the model, also those that were not tried."""
    return [
        BlockScore(
            block=b,
            auroc=auroc(found.select.positive[:, b], found.select.negative[:, b]),
            ratio=float(found.ratios[b]),
            effect=effects.get(b),
        )
        for b in range(len(found.residual_norms))
    ]


def natural_addition(found: Extracted, block: int, strength: float) -> npt.NDArray[np.float32]:
    """What `steer` would add at this block: (d_model,) of norm |strength| x residual norm."""
    direction = found.directions[block]
    scaled = strength * found.residual_norms[block] * direction / np.linalg.norm(direction)
    added: npt.NDArray[np.float32] = scaled.astype(np.float32)
    return added
