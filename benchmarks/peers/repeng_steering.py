"""repeng: `ControlModel`, which wraps the blocks, with a `ControlVector` set; the default, no normalising."""

from collections.abc import Iterator
from contextlib import contextmanager

from repeng import ControlModel, ControlVector

from benchmarks.peers.loading import Loaded
from benchmarks.peers.steered import Steered
from benchmarks.peers.steps import direction


@contextmanager
def steering(loaded: Loaded, steered: Steered) -> Iterator[None]:
    """The model inside is steered as repeng's documentation does it."""
    directions = {block: direction(loaded, block).numpy() for block in steered.blocks}
    wrapped = ControlModel(loaded.model, list(steered.blocks))
    wrapped.set_control(ControlVector(loaded.model.config.model_type, directions), 1.0)
    try:
        yield
    finally:
        wrapped.unwrap()
