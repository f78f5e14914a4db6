"""Concept, instruction and fluency as one number: a vector that drowns the answer in its trait gets none of
it.

Source: AxBench, Wu et al. 2025, arXiv:2501.17148, section 3.3: the harmonic mean of three scores from 0 to 2,
the strength chosen on one half of the prompts and scored on the other. What differs: rules score where they
let a language model judge, and halves are of whole clusters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steering_core.evaluation.dose import Response
from steering_core.evaluation.evidence import (
    Definition,
    Metric,
    Resampling,
    Sample,
    judged,
    rounded,
    too_few,
)

COMPOSITE = Definition(
    "composite",
    None,
    "Is it still an answer, and in the trait?",
    "Harmonic mean of concept, instruction and fluency, from 0 to 2",
    "passes if it is above that without steering by the bound of the interval; else warns",
)
# A word of a prompt is its content if at most this share of the other prompts and replies has it.
COMMON = 0.25
MIN_LETTERS = 3

Floats = npt.NDArray[np.float64]
_WORD = re.compile(rf"\w{{{MIN_LETTERS},}}")


@dataclass(frozen=True, slots=True)
class Parts:
    """Each (n_prompts, n_strengths), from 0 to 2."""

    concept: Floats
    instruction: Floats
    fluency: Floats

    @property
    def composite(self) -> Floats:
        """(n_prompts, n_strengths); 0 where one of the three is 0."""
        stacked = np.stack([self.concept, self.instruction, self.fluency])
        return np.where((stacked > 0).all(0), 3 / (1 / np.maximum(stacked, 1e-9)).sum(0), 0.0)


def composite(
    response: Response, prompts: Sequence[str], texts: Sequence[Sequence[str]], resampling: Resampling
) -> tuple[Metric, dict[str, float | None]]:
    """The metric, and its facts.

    Args:
        response: of a scorer, from -1 to 1.
        texts: the replies, by prompt and then by strength.
    """
    zero = response.strengths.index(0.0)
    parts = Parts(
        np.clip(response.scores + 1, 0, 2),
        2 * np.minimum(1, _over(relevance(prompts, texts, zero), zero)),
        2 * np.minimum(1, _over(response.coherence, zero)),
    )
    chosen, rest = _halves(response.clusters)
    sample = Sample.of([response.clusters[i] for i in rest])
    if not len(chosen) or not len(rest):
        reason = "All prompts are of one group, so no strength can be chosen on some and tried on others."
        return Metric(COMPOSITE, "insufficient", reason, sample), {}
    steered = [i for i, strength in enumerate(response.strengths) if strength > 0]
    best = max(steered, key=lambda i: float(parts.composite[chosen, i].mean()))
    scored, unsteered = parts.composite[rest, best], parts.composite[rest, zero]
    clusters = [response.clusters[i] for i in rest]
    bootstrap = resampling.over(clusters)
    low, high = bootstrap.mean(scored - unsteered)
    facts = {
        "strength": response.strengths[best],
        "value": rounded(float(scored.mean())),
        "unsteered": rounded(float(unsteered.mean())),
    } | {
        name: rounded(float(getattr(parts, name)[rest, best].mean()))
        for name in ("concept", "instruction", "fluency")
    }
    few = too_few(clusters)
    told = f"At strength {response.strengths[best]:g} it rises by {low:.2f} to {high:.2f}."
    metric = Metric(
        COMPOSITE,
        "insufficient" if few else judged(passes=low > 0, fails=False),
        few or told,
        sample,
        float(scored.mean()),
        bootstrap.mean(scored),
        ("without steering", float(unsteered.mean())),
    )
    return metric, facts


def relevance(prompts: Sequence[str], texts: Sequence[Sequence[str]], zero: int) -> Floats:
    """The share of a prompt's content words that a reply names, (n_prompts, n_strengths).

    Content words are those that few other prompts, and few unsteered replies to them, have. NaN for a prompt
    that has none.

    Args:
        texts: replies, by prompt and then by strength; `zero` is the column without steering.
    """
    asked = [_words(prompt) for prompt in prompts]
    plain = [_words(row[zero]) for row in texts]
    shares = np.full((len(prompts), len(texts[0])), np.nan)
    for i, words in enumerate(asked):
        content = {word for word in words if _is_rare(word, i, asked) and _is_rare(word, i, plain)}
        if content:
            shares[i] = [len(content & _words(text)) / len(content) for text in texts[i]]
    return shares


def _is_rare(word: str, own: int, texts: Sequence[frozenset[str]]) -> bool:
    others = sum(word in text for i, text in enumerate(texts) if i != own)
    return others <= COMMON * len(texts)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _over(values: Floats, zero: int) -> Floats:
    """As a share of the mean without steering; what cannot be said counts as kept."""
    base = float(np.nanmean(values[:, zero])) if np.isfinite(values[:, zero]).any() else 0.0
    shares: Floats = np.nan_to_num(values / base, nan=1.0) if base > 0 else np.ones_like(values)
    return shares


def _halves(clusters: Sequence[str]) -> tuple[list[int], list[int]]:
    """Items of every other cluster, and those of the rest; the order of clusters is random already."""
    names = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    halves: tuple[list[int], list[int]] = ([], [])
    for item, name in enumerate(clusters):
        halves[names[name] % 2].append(item)
    return halves
