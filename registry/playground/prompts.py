"""Prompts to begin with: some of those that operators brought for a base model, or that its demo brings."""

from collections.abc import Callable
from functools import lru_cache

from registry.catalog.models import BaseModelRevision
from registry.core.errors import RegistryError
from registry.storage.services import blob_read
from steering_core.demo.datasets import neutral_prompts
from steering_core.errors import SteeringError
from steering_core.evaluation.suite import read_suite

SHOWN = 5
# Of no example data set.
SEED = 26
_OWN: dict[str, Callable[[], tuple[str, ...]]] = {
    "demo": lambda: tuple(dict.fromkeys(neutral_prompts(2 * SHOWN, SEED)))[:SHOWN]
}


def starters(model: BaseModelRevision) -> tuple[str, ...]:
    """A few prompts that this model is measured with; none where nobody brought any."""
    try:
        return _starters(model.scorer, str(model.suite_id or ""))
    except (RegistryError, SteeringError):
        # The page works without; whoever evaluates is told.
        return ()


@lru_cache(maxsize=32)
def _starters(scorer: str, suite: str) -> tuple[str, ...]:
    if own := _OWN.get(scorer):
        return own()
    return read_suite(blob_read(sha256=suite)).prompts[:SHOWN] if suite else ()
