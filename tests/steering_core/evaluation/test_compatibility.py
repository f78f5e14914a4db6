"""Old vectors on new revisions of their model, on revisions of which it is known what should come out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering_core.errors import ModelMismatchError
from steering_core.evaluation import compatibility
from steering_core.evaluation.compatibility import ADVICE, check_compatibility
from steering_core.evaluation.drift import drift_by_block, linear_cka
from steering_core.evaluation.evidence import Definition, Metric, Sample, Section
from steering_core.evaluation.transfer import Transfer, transfer_metric
from steering_core.pairs.splits import Splits
from tests.steering_core.evaluation.turned_models import random_rotation, turned


@pytest.fixture(scope="module")
def same(demo_lm: Any) -> Any:
    """An update that changed nothing."""
    return replace(demo_lm, identity=replace(demo_lm.identity, model_hash="sha256:" + "1" * 64))


@pytest.fixture(scope="module")
def rotated(demo_lm: Any) -> Any:
    """An update after which the model says the same by other activations."""
    return turned(demo_lm, random_rotation(128, seed=9), "rotated")


@pytest.fixture
def checked(demo_lm: Any, subject_of: Any, tmp_path: Path) -> Any:
    """(new, vector, ...) -> Compatibility of the formality vector, or of another, on the demo pairs."""

    def check(new: Any, vector: Any = None, n_test: int = 16, **options: Any) -> Any:
        subject = subject_of()
        data = subject.data
        splits = Splits(data.train[:28], data.select[:4], data.test[:n_test])
        vector = vector or subject.vector
        return check_compatibility(demo_lm, new, vector, subject.pairs, splits, tmp_path, **options)

    return check


def blended(vector: Any, share: float) -> Any:
    """A vector of the same norm of which so much is the direction, and the rest points elsewhere."""
    key, direction = next(iter(vector.directions.items()))
    unit = direction / np.linalg.norm(direction)
    other = np.random.default_rng(4).normal(size=len(unit))
    other -= (other @ unit) * unit
    mixed = share * unit + np.sqrt(1 - share**2) * other / np.linalg.norm(other)
    return replace(vector, directions={key: (np.linalg.norm(direction) * mixed).astype(np.float32)})


def test_check_compatibility_of_an_unchanged_model_is_compatible(
    checked: Any, same: Any, subject_of: Any
) -> None:
    told, suite = list[str](), subject_of().suite
    few = replace(suite, neutral=suite.neutral[:20])

    found = checked(same, suite=few, progress=lambda fraction, said: told.append(said))

    assert found.verdict == "compatible"
    assert [metric.verdict for metric in found.metrics] == ["pass", "pass", "pass"]
    assert found.metrics[1].value == pytest.approx(1, abs=0.03)
    assert found.facts["cosine"] > 0.98
    assert found.facts["doses"]["old"] == found.facts["doses"]["new"]
    assert len(told) == 4
    assert json.loads(json.dumps(found.to_json()))["advice"] == ADVICE["compatible"]


def test_check_compatibility_of_a_rotated_model_is_incompatible_although_it_says_the_same(
    checked: Any, rotated: Any
) -> None:
    found = checked(rotated)

    assert found.verdict == "incompatible"
    assert abs(found.facts["cosine"]) < 0.4
    slopes = found.facts["slopes"]
    assert slopes["new_vector_new_model"] == pytest.approx(slopes["old_vector_old_model"], rel=0.02)
    assert [block["cka"] > 0.999 for block in found.facts["drift"]] == [True] * 4
    assert max(abs(block["cosine"]) for block in found.facts["drift"]) < 0.5


def test_check_compatibility_of_a_vector_that_lost_a_third_recommends_a_fresh_one(
    checked: Any, same: Any, subject_of: Any
) -> None:
    found = checked(same, blended(subject_of().vector, 0.65), n_test=12)

    assert found.verdict == "re_extract"
    assert 0.5 < found.metrics[1].interval[0] < found.metrics[1].interval[1] < 0.8


def test_check_compatibility_with_few_test_pairs_says_how_many_would_do(checked: Any, same: Any) -> None:
    found = checked(same, n_test=4)

    assert found.verdict == "insufficient"
    assert found.needed == 72  # 4 of 36 pairs are test items, and 8 are needed


def test_check_compatibility_of_another_shape_runs_nothing(checked: Any, same: Any) -> None:
    wider = replace(same, model=None, identity=replace(same.identity, d_model=256))

    found = checked(wider)

    assert found.verdict == "incompatible"
    assert "256" in found.reason


def test_check_compatibility_with_a_failing_screen_is_incompatible(checked: Any, same: Any) -> None:
    definition = Definition("screen", "safety", "Is it safe?", "share", "never passes")

    def screen(subject: Any, found: Any, tell: Any) -> Section:
        assert subject.lm is same
        return Section((Metric(definition, "fail", "It complies.", Sample(9, 9, "suite")),))

    found = checked(same, n_test=8, screen=screen)

    assert found.verdict == "incompatible"
    assert "It complies." in found.reason


def test_check_compatibility_of_another_models_vector_is_refused(
    checked: Any, same: Any, subject_of: Any
) -> None:
    vector = subject_of().vector

    with pytest.raises(ModelMismatchError):
        checked(same, replace(vector, model=replace(vector.model, model_hash="sha256:" + "2" * 64)))


def _transfer(subject: Any, given: Any, extracted: Any) -> Transfer:
    clusters = tuple(map(str, range(len(given))))
    return Transfer(subject, subject.vector, 1.0, np.asarray(given), np.asarray(extracted), clusters)


@pytest.mark.parametrize(
    ("ratio", "spread", "expected"),
    [
        (0.95, 0.1, "pass"),
        (0.65, 0.1, "warn"),
        (0.2, 0.1, "fail"),
        (0.8, 0.5, "insufficient"),
        (-0.5, 0.1, "fail"),
    ],
)
def test_transfer_metric_judges_by_both_bounds(
    subject_of: Any, ratio: float, spread: float, expected: str
) -> None:
    noise = np.random.default_rng(0).normal(0, spread, 40)
    given = ratio + noise - noise.mean()

    metric = transfer_metric(_transfer(subject_of(), given, np.ones(40)))

    assert metric.verdict == expected
    assert metric.value == pytest.approx(ratio)


def test_transfer_metric_without_an_effect_to_compare_with_is_insufficient(subject_of: Any) -> None:
    noise = np.random.default_rng(0).normal(0, 1, 40)

    metric = transfer_metric(_transfer(subject_of(), np.ones(40), noise - noise.mean() + 0.05))

    assert metric.verdict == "insufficient"
    assert "nothing to compare with" in metric.reason


def test_transfer_metric_near_a_threshold_asks_for_the_pairs_that_decide(subject_of: Any) -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, 40)

    metric = transfer_metric(_transfer(subject_of(), 0.85 + noise - noise.mean(), np.ones(40)))

    # What lies below the value has to shrink to the gap to 0.8; a fifth of the pairs are test items.
    items = 40 * ((0.85 - metric.interval[0]) / 0.05) ** 2
    assert metric.verdict == "insufficient"
    assert metric.needed == pytest.approx(5 * items, abs=6)


def test_backfire_counts_items_that_turned(subject_of: Any) -> None:
    before = np.ones(40)
    after = np.where(np.arange(40) < 20, -1.0, 1.0)

    metric = compatibility._backfire(_transfer(subject_of(), after, before), before)

    assert (metric.verdict, metric.value) == ("fail", 0.5)


# --- drift ---


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), scale=st.floats(0.1, 50))
def test_linear_cka_is_blind_to_rotation_shift_and_scale(seed: int, scale: float) -> None:
    x = np.random.default_rng(seed).normal(size=(40, 128)).astype(np.float32)

    y = scale * (x @ random_rotation(128, seed).numpy()) + 3

    assert linear_cka(x, y) == pytest.approx(1, abs=1e-3)


def test_linear_cka_of_unrelated_rows_is_near_zero_with_more_units_than_rows() -> None:
    rng = np.random.default_rng(0)

    found = [linear_cka(*rng.normal(size=(2, 60, 128)).astype(np.float32)) for _ in range(20)]

    assert abs(np.mean(found)) < 0.05


def test_drift_by_block_of_one_model_is_none(demo_lm: Any, subject_of: Any) -> None:
    rows = drift_by_block(demo_lm, demo_lm, subject_of().suite.neutral[:10])

    assert [row["block"] for row in rows] == [0, 1, 2, 3]
    for row in rows:
        assert (row["cosine"], row["norm_ratio"], row["cka"]) == pytest.approx((1, 1, 1), abs=1e-5)
