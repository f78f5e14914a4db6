"""Makes a vector of a direction that came as a file, and measures it as any other.

Only the direction is taken over. What gives it a scale and a meaning is measured here, on pairs about its
trait: the residual norm, which pole it points to, the set points, the doses, the window. What the file claims
of these is not read.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from steering_core.errors import EvaluationError, FormatError
from steering_core.evaluation.choosing import Chooser
from steering_core.evaluation.evaluate import Progress
from steering_core.evaluation.interim import Interim, unheard
from steering_core.evaluation.pipeline import evaluate_vector
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.suite import EMPTY_SUITE, Suite
from steering_core.extraction.extract import encode_splits, extract
from steering_core.extraction.pooling import resolve_poolings
from steering_core.extraction.statistics import Statistics
from steering_core.formats.importing import Importable
from steering_core.models.dtypes import dtype_name
from steering_core.models.load import LanguageModel
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits
from steering_core.spec import (
    BUDGETS,
    Provenance,
    canonical_json,
    digest,
    parse_site_key,
    seed_from,
    software,
)
from steering_core.vector import SteeringVector


def import_and_evaluate(
    lm: LanguageModel,
    found: Importable,
    pairs: Sequence[ContrastivePair],
    splits: Splits,
    folder: Path,
    *,
    tier: str,
    dataset_digest: str,
    scorer: TraitScorer | None,
    suite: Suite = EMPTY_SUITE,
    progress: Progress,
    others: Sequence[SteeringVector] = (),
    interim: Interim = unheard,
) -> tuple[SteeringVector, dict[str, Any]]:
    """The direction as a vector of the loaded model, with all that was measured, and its report.

    Args:
        found: for this model; `read_importable` has seen to that.
        pairs: about the vector's trait. Scale and sign come from the train split, the doses from the select
            split, the report from the test split.
        folder: where activations are written for the while.
        interim: told what is measured on the way, see `interim`.
    Raises:
        ExtractionError, EvaluationError: as `evaluate_vector`.
    """
    progress("place", 0.0, f"Reading activations at {found.key}")
    data = encode_splits(lm, pairs, splits)
    site, block = parse_site_key(found.key)
    pooling = resolve_poolings("auto", list(data.pairs.values()))[0]
    read = extract(
        lm, pairs, data, folder / "place.safetensors", sites=(site,), blocks=(block,), pooling=pooling,
        dataset_digest=dataset_digest,
    )  # fmt: skip
    placed = _placed(lm, found, read, pooling)
    sampling = seed_from(digest(canonical_json([placed.tensor_digest, dataset_digest, tier])), "sampling")
    chooser = Chooser(lm, pairs, scorer, BUDGETS[tier].max_new_tokens, sampling)
    vector = replace(placed, doses=chooser.doses(data, placed))
    return evaluate_vector(
        lm, vector, pairs, splits, folder, tier=tier, dataset_digest=dataset_digest, scorer=scorer,
        suite=suite, others=others, interim=interim,
        progress=lambda stage, fraction, said: progress(stage, 0.05 + 0.95 * fraction, said),
    )  # fmt: skip


def _placed(lm: LanguageModel, found: Importable, read: Statistics, pooling: str) -> SteeringVector:
    """The direction with its scale; as long as it came, since what its length meant is not known."""
    key, direction = found.key, found.direction
    site, block = parse_site_key(key)
    train = read.split("train")
    rows = read.rows(pooling, site, block, train)
    unit = direction.astype(np.float64)
    unit /= np.linalg.norm(unit)
    negative, positive = (float((rows.pole(pole) @ unit).mean()) for pole in ("negative", "positive"))
    try:
        return SteeringVector(
            model=lm.identity,
            directions={key: direction},
            residual_norms={key: read.residual_norm(block, train)},
            sign="positive" if positive > negative else "negative" if positive < negative else "unknown",
            set_points={key: (negative, positive)},
            provenance=Provenance(
                "imported", pooling, "", "", software("torch", "transformers"), dtype_name(lm.model.dtype)
            ),
        )
    except FormatError as error:
        raise EvaluationError(error.message, code=error.code) from error
