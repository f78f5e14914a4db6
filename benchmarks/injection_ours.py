"""Bearing's side: `steer`, `steer_batch` and `fold`, as their documentation has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from benchmarks.ours import language_model
from benchmarks.peers.loading import Loaded
from benchmarks.peers.steered import Steered
from benchmarks.peers.steps import direction
from steering_core.injection import fold, steer, steer_batch
from steering_core.models.load import LanguageModel
from steering_core.spec import Provenance, site_key
from steering_core.vector import SteeringVector


@contextmanager
def steering(loaded: Loaded, steered: Steered) -> Iterator[Any]:
    """The model inside is steered; of folding the linear layers that hold the vector are given."""
    lm = language_model(loaded)
    vectors = [_vector(loaded, lm, steered, number) for number in range(steered.n_vectors)]
    if steered.how == "folded":
        with fold(lm, [(vectors[0], 1.0)]) as folded:
            yield folded.linears
    elif steered.how == "rows":
        with steer_batch(lm, [[(vectors[row % len(vectors)], 1.0)] for row in range(steered.batch)]):
            yield None
    else:
        with steer(lm, [(vectors[0], 1.0)]):
            yield None


def _vector(loaded: Loaded, lm: LanguageModel, steered: Steered, number: int) -> SteeringVector:
    """Residual norms are such that strength 1 adds the direction itself."""
    directions = {site_key("resid_post", b): direction(loaded, b, number) for b in steered.blocks}
    return SteeringVector(
        model=lm.identity,
        directions={key: tensor.numpy() for key, tensor in directions.items()},
        residual_norms={key: float(torch.linalg.vector_norm(tensor)) for key, tensor in directions.items()},
        provenance=Provenance("benchmark", "none", "", "", ""),
    )
