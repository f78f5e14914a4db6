"""Subjects on the demo model, each made once per session."""

from dataclasses import replace
from typing import Any

import pytest


@pytest.fixture(scope="session")
def demo_lm() -> Any:
    """The shipped demo model."""
    from steering_core.demo import weights_path
    from steering_core.models.load import load_model

    return load_model(weights_path())


@pytest.fixture(scope="session")
def subject_of(demo_lm: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(axis, **changes) -> Subject: the mean difference of demo pairs at one place; see `_make`."""
    shared: dict[str, Any] = {}
    made: dict[tuple[Any, ...], Any] = {}

    def subject(
        axis: str = "formality",
        *,
        block: int = 1,
        pooling: str = "response_mean",
        n_pairs: int = 120,
        tier: str = "standard",
        pairs: Any = None,
        **changes: Any,
    ) -> Any:
        key = (axis, block, pooling, n_pairs, tier, pairs if pairs is None else id(pairs))
        if key not in made:
            folder = tmp_path_factory.mktemp("subject")
            made[key] = _make(demo_lm, axis, block, pooling, n_pairs, tier, pairs, folder, shared)
        return replace(made[key], **changes)

    return subject


def _make(
    lm: Any,
    axis: str,
    block: int,
    pooling: str,
    n_pairs: int,
    tier: str,
    pairs: Any,
    folder: Any,
    shared: Any,
) -> Any:
    from steering_core.demo import demo_pairs, demo_scorer
    from steering_core.demo.suite import demo_suite
    from steering_core.evaluation.ranking import place_vector, score_places
    from steering_core.evaluation.subject import Subject
    from steering_core.extraction.derive import Recipe
    from steering_core.extraction.extract import encode_splits, extract
    from steering_core.pairs.jsonl import write_jsonl
    from steering_core.pairs.splits import split_pairs
    from steering_core.spec import BUDGETS, Provenance, digest

    scorer = demo_scorer(axis)
    pairs = demo_pairs(axis, n_pairs, seed=21) if pairs is None else pairs
    named = digest(write_jsonl(pairs))
    data = encode_splits(lm, pairs, split_pairs(pairs, named))
    statistics = extract(lm, pairs, data, folder / "statistics.safetensors", blocks=(block,), pooling=pooling)
    place = score_places(statistics, Recipe("mean_difference"), "resid_post")[0]
    provenance = Provenance("mean_difference", pooling, named, "", "tests", "float32")
    vector = place_vector([place], lm.identity, provenance)
    return Subject(
        lm, vector, pairs, data, statistics, demo_suite(), BUDGETS[tier], tier, named,
        strength=0.3, scorer=scorer, shared=shared,
    )  # fmt: skip
