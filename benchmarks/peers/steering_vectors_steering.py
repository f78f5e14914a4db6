"""steering-vectors: `SteeringVector.apply`, its hooks on the blocks' outputs."""

from contextlib import AbstractContextManager

from steering_vectors import SteeringVector

from benchmarks.peers.loading import Loaded
from benchmarks.peers.steered import Steered
from benchmarks.peers.steps import direction


def steering(loaded: Loaded, steered: Steered) -> AbstractContextManager[None]:
    """The model inside is steered as the package's documentation does it."""
    directions = {block: direction(loaded, block).to(loaded.device, loaded.dtype) for block in steered.blocks}
    return SteeringVector(directions, "decoder_block").apply(loaded.model, multiplier=1.0)
