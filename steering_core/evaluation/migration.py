"""Carries a steering vector over to another model through a linear map between their residual streams.

The map is fitted on plain texts, so it knows nothing of the trait. Nothing measured is carried over: the
vector is measured anew, by `migrate_and_evaluate` or by `pipeline.evaluate_vector`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steering_core.errors import EvaluationError, ModelMismatchError
from steering_core.evaluation.choosing import Chooser
from steering_core.evaluation.evaluate import Progress
from steering_core.evaluation.evidence import rounded
from steering_core.evaluation.interim import Interim, unheard
from steering_core.evaluation.pipeline import evaluate_vector
from steering_core.evaluation.ridge import Moments, fit_ridge
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.streams import Alignment, align, read_couples
from steering_core.evaluation.suite import EMPTY_SUITE, Suite, Turn
from steering_core.evaluation.transfer import Transfer, measure_transfer, transfer_metric, trial
from steering_core.models.dtypes import dtype_name
from steering_core.models.load import LanguageModel
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits
from steering_core.spec import (
    ModelIdentity,
    Place,
    Provenance,
    canonical_json,
    digest,
    parse_site_key,
    site_key,
    software,
)
from steering_core.vector import SteeringVector

MIN_TEXTS = 20
# Of five texts three fit the map, one chooses its penalty, one is held out.
_FIFTHS = (0, 0, 0, 1, 2)


@dataclass(frozen=True, eq=False)
class StreamMap:
    """How activations at a place of one model turn into those at a place of another.

    Attributes:
        weights: (d_source, d_target) float32.
        r2: on held-out texts, see `ridge.Ridge`.
        residual_norm: mean norm of the target's activations there, over replies.
        texts_digest: of the texts that it was fitted on.
    """

    source: ModelIdentity
    target: ModelIdentity
    source_place: Place
    target_place: Place
    weights: npt.NDArray[np.float32]
    r2: float
    penalty: float
    residual_norm: float
    alignment: Alignment
    n_texts: int
    n_tokens: int
    texts_digest: str

    def to_json(self) -> dict[str, Any]:
        """All but the weights."""
        return {
            "source": {**asdict(self.source), "place": site_key(*self.source_place)},
            "target": {**asdict(self.target), "place": site_key(*self.target_place)},
            "r2": rounded(self.r2),
            "penalty": self.penalty,
            "residual_norm": rounded(self.residual_norm),
            "alignment": self.alignment,
            "n_texts": self.n_texts,
            "n_tokens": self.n_tokens,
            "texts_digest": self.texts_digest,
        }


@dataclass(frozen=True, eq=False)
class Migration:
    """A vector on another model, measured there.

    Attributes:
        vector: with the window and the doses that were found.
        report: as `evaluate_vector` gives it.
        transfer: beside the vector that the pairs themselves give on the target.
    """

    vector: SteeringVector
    report: dict[str, Any]
    maps: tuple[StreamMap, ...]
    transfer: Transfer

    def to_json(self) -> dict[str, Any]:
        """The maps and the transfer, beside the report."""
        return {
            "maps": [one.to_json() for one in self.maps],
            "transfer": {
                **transfer_metric(self.transfer).to_json(),
                "cosine": rounded(self.transfer.cosine),
            },
        }


def matching_block(block: int, n_source: int, n_target: int) -> int:
    """The block of another model that ends at about the same share of its depth; the same where both are
    equally deep.
    """
    return max(0, round((block + 1) / n_source * n_target) - 1)


def fit_maps(
    source: LanguageModel,
    target: LanguageModel,
    turns: Sequence[Turn],
    places: Sequence[tuple[Place, Place]],
    progress: Callable[[float], None] = lambda fraction: None,
) -> tuple[StreamMap, ...]:
    """One ridge map per couple of places, from one pass of the texts through both models.

    Texts are divided by chance, the same way each time; a text is never on two sides. How the tokens of two
    tokenizers are aligned stands in `streams.align`.

    Args:
        turns: plain texts that say nothing of any trait; a hundred and more. Conversations are best, since
            replies are where vectors act; a turn without a prompt is plain text.
        places: (in the source, in the target).

    Raises:
        EvaluationError: fewer than 20 texts can be used.
        ModelError: a model has no such place.
    """
    aligned = align((source, target), turns)
    if len(aligned.texts) < MIN_TEXTS:
        raise EvaluationError(
            f"{len(aligned.texts)} texts can be used and {aligned.left_out} cannot; a map needs at least "
            f"{MIN_TEXTS}, and a hundred to be good",
            code="evaluation.too_few_texts",
        )
    sums = [_Sums(source.identity.d_model, target.identity.d_model) for _ in places]
    order = np.random.default_rng(0).permutation(len(aligned.texts))
    read = read_couples((source, target), aligned.texts, places)
    for done, (index, couples) in enumerate(read):
        part = _FIFTHS[order[index] % len(_FIFTHS)]
        for one, (x, y) in zip(sums, couples, strict=True):
            one.add(part, x, y, aligned.texts[index].n_reply)
        progress((done + 1) / len(aligned.texts))
    named = digest(canonical_json([asdict(turn) for turn in turns]))
    return tuple(
        StreamMap(
            source=source.identity,
            target=target.identity,
            source_place=place,
            target_place=there,
            **one.fitted(),
            alignment=aligned.alignment,
            n_texts=len(aligned.texts),
            texts_digest=named,
        )
        for (place, there), one in zip(places, sums, strict=True)
    )


def fit_map(
    source: LanguageModel,
    target: LanguageModel,
    turns: Sequence[Turn],
    vector: SteeringVector,
    target_block: int | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> tuple[StreamMap, ...]:
    """The maps that a vector needs, each from its place to the same site of the target.

    Args:
        target_block: for a vector with one direction; None takes `matching_block`.

    Raises:
        ModelMismatchError: the vector is not the source's.
        EvaluationError: as `fit_maps`; or a block for a vector of several directions.
    """
    _check_source(vector, source.identity)
    if target_block is not None and len(vector.directions) > 1:
        raise EvaluationError(
            f"the vector has {len(vector.directions)} directions, so no one block is theirs; leave it out",
            code="evaluation.several_directions",
        )
    depths = (source.identity.n_layers, target.identity.n_layers)
    places = []
    for key in vector.directions:
        site, block = parse_site_key(key)
        there = matching_block(block, *depths) if target_block is None else target_block
        places.append(((site, block), (site, there)))
    return fit_maps(source, target, turns, places, progress)


def migrate(vector: SteeringVector, maps: Sequence[StreamMap], dtype: str = "") -> SteeringVector:
    """A vector of the target: each direction through the map of its place, v' = v W.

    It has the target's residual norms, as they were measured when the maps were fitted, and neither window,
    doses nor set points: nothing is measured of it. Provenance says `migrated`, from which tensors, and which
    pairs the source was made of.

    Args:
        dtype: what the target's activations were computed in.

    Raises:
        ModelMismatchError: a map is not from the vector's model.
        EvaluationError: no map for a direction, one that explains nothing, or two directions end in one
            place.
    """
    by_place = {one.source_place: one for one in maps}
    directions, norms = {}, {}
    for key, direction in vector.directions.items():
        one = by_place.get(parse_site_key(key))
        if one is None:
            raise EvaluationError(f"there is no map for {key}", code="evaluation.no_map")
        _check_source(vector, one.source)
        _check_explains(one)
        there = site_key(*one.target_place)
        if there in directions:
            raise EvaluationError(
                f"two directions end at {there} of {one.target.name}, which is less deep; migrate a vector "
                "with one direction",
                code="evaluation.several_directions",
            )
        directions[there] = (direction.astype(np.float64) @ one.weights).astype(np.float32)
        norms[there] = one.residual_norm
    first = maps[0]
    asked = [vector.tensor_digest, first.source.model_hash, first.target.model_hash, first.texts_digest]
    provenance = Provenance(
        method="migrated",
        pooling=vector.provenance.pooling,
        dataset_digest=vector.provenance.dataset_digest,
        spec_digest=digest(canonical_json(asked)),
        software=f"{software('torch', 'transformers')}, from tensors {vector.tensor_digest}",
        dtype=dtype,
    )
    return SteeringVector(
        model=first.target,
        directions=directions,
        residual_norms=norms,
        operation=vector.operation,
        sign=vector.sign,
        provenance=provenance,
    )


def migrate_and_evaluate(
    source: LanguageModel,
    target: LanguageModel,
    vector: SteeringVector,
    turns: Sequence[Turn],
    pairs: Sequence[ContrastivePair],
    splits: Splits,
    folder: Path,
    *,
    tier: str,
    dataset_digest: str,
    scorer: TraitScorer | None,
    suite: Suite = EMPTY_SUITE,
    target_block: int | None = None,
    progress: Progress,
    shared: dict[str, Any] | None = None,
    interim: Interim = unheard,
) -> Migration:
    """Migrate a vector with one direction and measure it in full on the target, as any other vector.

    Args:
        turns: see `fit_maps`.
        pairs: about the vector's trait; its test split is what the report and the transfer are measured on.
        folder: where activations are written for the while.
        shared: results that depend on the target and the suite alone.
        interim: told what is measured on the way, see `interim`.

    Raises:
        ModelMismatchError, EvaluationError, ExtractionError: as `fit_map`, `migrate` and `evaluate_vector`.
    """
    progress("migrate", 0.0, "Fitting a map between the two models")
    maps = fit_map(source, target, turns, vector, target_block)
    moved = migrate(vector, maps, dtype_name(target.model.dtype))
    tried = trial(target, moved, pairs, splits, folder, tier=tier)
    chooser = Chooser(target, pairs, scorer, tried.budget.max_new_tokens, tried.seed("sampling"))
    measured, report = evaluate_vector(
        target, replace(moved, doses=chooser.doses(tried.data, moved)), pairs, splits, folder, tier=tier,
        dataset_digest=dataset_digest, scorer=scorer, suite=suite, shared=shared, interim=interim,
        progress=lambda stage, f, said: progress(stage, 0.1 + 0.8 * f, said),
    )  # fmt: skip
    progress("comparison", 0.9, "Comparing with the target's own vector")
    transfer = measure_transfer(tried)
    progress("comparison", 1.0, "Done")
    return Migration(measured, report, maps, transfer)


class _Sums:
    """What is kept of the activations at one couple of places."""

    def __init__(self, d_source: int, d_target: int) -> None:
        self._parts = tuple(Moments(d_source, d_target) for _ in set(_FIFTHS))
        self._norm, self._n_reply = 0.0, 0

    def add(self, part: int, x: Tensor, y: Tensor, n_reply: int) -> None:
        """Take in one text, (n, d_source) and (n, d_target), the last `n_reply` rows of its reply."""
        self._parts[part].add(x, y)
        self._norm += float(y[len(y) - n_reply :].norm(dim=-1).sum())
        self._n_reply += n_reply

    def fitted(self) -> dict[str, Any]:
        """The fields of a `StreamMap` that are measured."""
        ridge = fit_ridge(*self._parts)
        return {
            "weights": ridge.weights.to(torch.float32).numpy(),
            "r2": ridge.r2,
            "penalty": ridge.penalty,
            "residual_norm": self._norm / max(1, self._n_reply),
            "n_tokens": sum(part.n for part in self._parts),
        }


def _check_source(vector: SteeringVector, source: ModelIdentity) -> None:
    if vector.model.model_hash != source.model_hash:
        raise ModelMismatchError(
            f"the vector is for {vector.model.name} ({vector.model.model_hash}), the map starts from "
            f"{source.name} ({source.model_hash})"
        )


def _check_explains(one: StreamMap) -> None:
    if not one.r2 > 0:
        raise EvaluationError(
            f"the map from {one.source.name} to {one.target.name} explains nothing of held-out texts "
            f"(R² {one.r2:.2f}); give more texts, of the kind that the models were made for",
            code="evaluation.no_map",
        )
