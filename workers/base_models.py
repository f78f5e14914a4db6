"""Base models of this worker process: loaded once, verified against their model hash, kept."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from registry.storage.services import blob_read
from steering_core.demo.scoring import choose_scorer
from steering_core.demo.suite import demo_suite
from steering_core.errors import EvaluationError, ModelError
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.suite import EMPTY_SUITE, Suite, read_suite
from steering_core.models.load import LanguageModel, load_model
from steering_core.pairs.pair import ContrastivePair
from workers.devices import best_device

# Two: a worker that serves one queue seldom needs more, and a large model leaves no room for a third.
MODELS_KEPT = 2

_SCORERS: dict[str, Callable[[Sequence[ContrastivePair]], TraitScorer | None]] = {"demo": choose_scorer}
_SUITES: dict[str, Callable[[], Suite]] = {"demo": demo_suite}


@lru_cache(maxsize=MODELS_KEPT)
def load(path: str, model_hash: str, name: str) -> LanguageModel:
    """The model at a path, refused when its content is not what was registered.

    Raises:
        ModelError: the folder is gone, changed or unsafe.
    """
    return load_model(Path(path), device=best_device(), expected_hash=model_hash, name=name)


def scorer_for(name: str, pairs: Sequence[ContrastivePair]) -> TraitScorer | None:
    """The exact scorer for the trait of these pairs, where the base model has one."""
    choose = _SCORERS.get(name)
    return choose(pairs) if choose else None


def suite_for(scorer: str, sha256: str) -> Suite:
    """The prompts and questions that the registry owns for a base model: the scorer's own, else those that
    operators brought as the blob `sha256`, else none.

    Raises:
        ModelError: the stored suite cannot be read any more.
        BlobMissingError, BlobCorruptError, BlobStoreError: damage, or the store is out of reach.
    """
    if make := _SUITES.get(scorer):
        return make()
    return _stored_suite(sha256) if sha256 else EMPTY_SUITE


@lru_cache(maxsize=MODELS_KEPT)
def _stored_suite(sha256: str) -> Suite:
    try:
        return read_suite(blob_read(sha256=sha256))
    except EvaluationError as error:
        # It was read before it was stored, so this is no fault of the run's owner.
        raise ModelError(f"the suite {sha256} cannot be read: {error.message}", code=error.code) from error
