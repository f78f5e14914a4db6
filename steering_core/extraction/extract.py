"""Pairs in, one direction per block out, with what held-out pairs project onto it.

Every pair goes through the model once: the train pairs first, for the directions; then the select and test
pairs, of which only the projections are kept. `steering_core.evaluation.pipeline` chooses the block and
measures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from steering_core.errors import ExtractionError
from steering_core.extraction.activations import pooled_batches
from steering_core.extraction.methods.mean_difference import MeanDifference
from steering_core.extraction.pooling import resolve_pooling
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import EncodedPair, encode_pair
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits
from steering_core.spec import ExtractionSpec

MIN_TRAIN_PAIRS = 4
MIN_SELECT_PAIRS = 1
_SAME = 1e-6

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EncodedSplits:
    """Pairs as token ids, by split; rows longer than the model's context are left out and counted.

    Attributes:
        pairs: encoded pairs by their index in the data set.
    """

    pairs: dict[int, EncodedPair]
    train: tuple[int, ...]
    select: tuple[int, ...]
    test: tuple[int, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Projections:
    """Held-out pairs on the train direction of each block, in units of the residual norm: (n_pairs,
    n_layers).
    """

    positive: Float64
    negative: Float64


@dataclass(frozen=True, slots=True)
class Extracted:
    """Directions at every block, not normalised, and held-out projections on them.

    Attributes:
        directions: (n_layers, d_model) float64.
        residual_norms: (n_layers,) float64, from the train pairs.
    """

    pooling: str
    directions: Float64
    residual_norms: Float64
    select: Projections
    test: Projections

    @property
    def ratios(self) -> Float64:
        """(n_layers,), norm of the direction over the residual norm."""
        norms: Float64 = np.linalg.norm(self.directions, axis=1) / self.residual_norms
        return norms


def encode_splits(lm: LanguageModel, pairs: Sequence[ContrastivePair], splits: Splits) -> EncodedSplits:
    """Token ids of the pairs in the splits.

    Raises:
        ExtractionError: too few pairs fit into the model's context.
    """
    wanted = [*splits.train, *splits.select, *splits.test]
    encoded = {i: encode_pair(lm, pairs[i]) for i in wanted}
    fits = {i: pair for i, pair in encoded.items() if _fits(pair, lm.max_positions)}
    train, select, test = (
        tuple(i for i in part if i in fits) for part in (splits.train, splits.select, splits.test)
    )
    left_out = len(wanted) - len(fits)
    if len(train) < MIN_TRAIN_PAIRS or len(select) < MIN_SELECT_PAIRS:
        raise ExtractionError(
            f"{len(train)} train and {len(select)} select pairs are left after {left_out} that are empty "
            "or longer "
            f"than the {lm.max_positions} tokens of this model; at least {MIN_TRAIN_PAIRS} and "
            f"{MIN_SELECT_PAIRS} "
            "are needed. Add pairs or shorten them",
            code="extraction.too_few_pairs",
        )
    return EncodedSplits(fits, train, select, test, left_out)


def extract(
    lm: LanguageModel, data: EncodedSplits, spec: ExtractionSpec, progress: Callable[[float], None]
) -> Extracted:
    """Directions at every block from the train pairs, projections of the select and test pairs.

    Raises:
        ExtractionError: the site is not supported, or the poles do not differ inside the model.
    """
    if spec.site != "resid_post":
        raise ExtractionError(
            f"site {spec.site} cannot be read yet; use resid_post, the output of a decoder block",
            code="extraction.unsupported_site",
        )
    pooling = resolve_pooling(spec.pooling, list(data.pairs.values()))
    method = MeanDifference(lm.identity.n_layers, lm.identity.d_model)
    total = len(data.pairs)
    for batch in pooled_batches(lm, [data.pairs[i] for i in data.train], pooling):
        method.add(batch)
        progress(method.count / total)
    directions, norms = method.directions(), method.residual_norms()
    _check_directions(directions, norms)
    held_out = [*data.select, *data.test]
    projections = _project(lm, [data.pairs[i] for i in held_out], pooling, directions, norms)
    progress(1.0)
    cut = len(data.select)
    select = Projections(projections.positive[:cut], projections.negative[:cut])
    return Extracted(
        pooling,
        directions,
        norms,
        select,
        Projections(projections.positive[cut:], projections.negative[cut:]),
    )


def _project(
    lm: LanguageModel, pairs: Sequence[EncodedPair], pooling: str, directions: Float64, norms: Float64
) -> Projections:
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    units = np.divide(directions, lengths, out=np.zeros_like(directions), where=lengths > 0) / norms[:, None]
    axes = torch.from_numpy(units).float().to(lm.device)
    positive = np.zeros((len(pairs), len(norms)))
    negative = np.zeros_like(positive)
    for batch in pooled_batches(lm, pairs, pooling):
        rows = list(batch.pairs)
        positive[rows] = torch.einsum("bld,ld->bl", batch.positive, axes).double().cpu().numpy()
        negative[rows] = torch.einsum("bld,ld->bl", batch.negative, axes).double().cpu().numpy()
    return Projections(positive, negative)


def _fits(pair: EncodedPair, max_positions: int) -> bool:
    shortest, longest = sorted((len(pair.positive), len(pair.negative)))
    return pair.prompt_length < shortest and longest <= max_positions


def _check_directions(directions: Float64, norms: Float64) -> None:
    if not np.isfinite(directions).all() or not np.isfinite(norms).all() or (norms <= 0).any():
        raise ExtractionError(
            "the model's activations on these pairs are not finite numbers, so there is no direction; "
            "check the model's weights",
            code="extraction.no_difference",
        )
    if (np.linalg.norm(directions, axis=1) <= _SAME * norms).all():
        raise ExtractionError(
            "the positive and the negative texts look the same to this model at every block, so there is no "
            "direction; make the texts differ in the trait, or choose another pooling",
            code="extraction.no_difference",
        )
