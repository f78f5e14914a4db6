"""How far the activations of a model moved from one revision to another, block by block.

`compatibility` reports it; it explains a verdict and decides none: streams may turn and vectors still work.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steering_core.evaluation.evidence import rounded
from steering_core.evaluation.streams import align, read_couples
from steering_core.evaluation.suite import Turn
from steering_core.models.load import LanguageModel
from steering_core.spec import Place

# Of all texts together, for the alignment of the streams.
SAMPLED_TOKENS = 512


def drift_by_block(
    old: LanguageModel, new: LanguageModel, turns: Sequence[Turn]
) -> list[dict[str, float | None]]:
    """For each block how alike the residual streams of two revisions are on the same texts.

    `cosine` and `norm_ratio` (new over old) are means over tokens; `cka` is linear centred kernel alignment,
    1 for streams that are a rotation of each other, 0 for unrelated ones, without the bias of few tokens.

    Source: Kornblith et al. 2019 (arXiv 1905.00414), with the estimator of Song et al. 2012 that Nguyen et
    al. 2020 (arXiv 2010.15327) use.
    """
    stream = 0 if old.sites.streams > 1 else None
    site = "resid_post" if stream is None else f"resid_post@{stream}"
    places: list[Place] = [(site, block) for block in range(old.identity.n_layers)]
    aligned = align((old, new), turns)
    if not aligned.texts:
        return []
    each = max(1, SAMPLED_TOKENS // len(aligned.texts))
    sampled: list[tuple[list[Tensor], list[Tensor]]] = [([], []) for _ in places]
    sums, n_tokens = np.zeros((len(places), 2)), 0
    for _, couples in read_couples((old, new), aligned.texts, [(place, place) for place in places]):
        n_tokens += len(couples[0][0])
        for row, (x, y), kept in zip(sums, couples, sampled, strict=True):
            row += (
                float(torch.cosine_similarity(x, y, dim=-1).sum()),
                float((y.norm(dim=-1) / x.norm(dim=-1)).sum()),
            )
            at = torch.linspace(0, len(x) - 1, min(each, len(x))).long()
            kept[0].append(x[at])
            kept[1].append(y[at])
    return [
        {
            "block": block,
            "cosine": rounded(row[0] / n_tokens),
            "norm_ratio": rounded(row[1] / n_tokens),
            "cka": rounded(linear_cka(torch.cat(kept[0]).numpy(), torch.cat(kept[1]).numpy())),
        }
        for (_, block), row, kept in zip(places, sums, sampled, strict=True)
    ]


def linear_cka(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> float:
    """Of (n, d_x) and (n, d_y), n > 3: the Hilbert-Schmidt independence of both over that of each with
    itself; NaN where one does not vary.
    """
    grams = [(rows - rows.mean(0)).astype(np.float64) for rows in (x, y)]
    one, other = (rows @ rows.T for rows in grams)
    for gram in (one, other):
        np.fill_diagonal(gram, 0.0)
    alone = _independence(one, one) * _independence(other, other)
    return float(_independence(one, other) / np.sqrt(alone)) if alone > 0 else float("nan")


def _independence(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """The unbiased estimate for Gram matrices (n, n) with zeros on the diagonal."""
    n = len(one)
    both = one.sum(0) @ other.sum(0)
    whole = one.sum() * other.sum() / ((n - 1) * (n - 2))
    return float(((one * other).sum() + whole - 2 * both / (n - 2)) / (n * (n - 3)))
