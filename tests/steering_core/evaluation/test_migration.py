"""Maps between two models' residual streams, on models of which the map is known beforehand."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from steering_core.errors import EvaluationError, ModelMismatchError
from steering_core.evaluation.migration import (
    fit_map,
    fit_maps,
    matching_block,
    migrate,
)
from steering_core.evaluation.ridge import Moments, fit_ridge
from steering_core.evaluation.streams import align, read_couples
from steering_core.evaluation.suite import Turn
from steering_core.evaluation.transfer import slopes_under
from steering_core.formats.bearing import read_vector, write_vector
from tests.steering_core.evaluation.turned_models import permutation, random_rotation, turned

PLACE = ("resid_post", 1)


@pytest.fixture(scope="module")
def turns(subject_of: Any) -> tuple[Turn, ...]:
    return tuple(subject_of().suite.neutral[:60])


@pytest.fixture(scope="module")
def rotation() -> torch.Tensor:
    return random_rotation(128, seed=3)


@pytest.fixture(scope="module")
def rotated(demo_lm: Any, rotation: torch.Tensor) -> Any:
    return turned(demo_lm, rotation, "rotated")


@pytest.fixture(scope="module")
def maps(demo_lm: Any, rotated: Any, turns: Any, subject_of: Any) -> Any:
    return fit_map(demo_lm, rotated, turns, subject_of().vector)


# --- the planted truth ---


def test_turned_model_computes_the_same_function(demo_lm: Any, rotated: Any, turns: Any) -> None:
    ids = torch.tensor([align((demo_lm, rotated), turns[:1]).texts[0].ids[0]])

    with torch.inference_mode():
        before, after = (lm.model(input_ids=ids).logits for lm in (demo_lm, rotated))

    assert torch.allclose(before, after, atol=2e-3)


def test_fit_map_of_a_rotated_model_gives_the_rotation(maps: Any, rotation: torch.Tensor) -> None:
    (one,) = maps

    missed = np.linalg.norm(one.weights - rotation.numpy()) / np.linalg.norm(rotation.numpy())
    assert one.r2 > 0.999
    assert missed < 0.05
    assert one.alignment == "tokens"


def test_fit_map_of_permuted_units_gives_the_permutation(demo_lm: Any, turns: Any) -> None:
    order = permutation(128, seed=5)

    (one,) = fit_maps(demo_lm, turned(demo_lm, order, "permuted"), turns, [(PLACE, PLACE)])

    assert one.r2 > 0.999
    assert (np.abs(one.weights).argmax(1) == order.numpy().argmax(1)).all()


def test_migrated_vector_steers_the_rotated_model_as_the_original_does(
    subject_of: Any, rotated: Any, maps: Any
) -> None:
    subject = subject_of()
    moved = migrate(subject.vector, maps)

    (before,) = slopes_under(subject, [subject.vector])
    after, unmoved = slopes_under(replace(subject, lm=rotated), [moved, subject.vector])

    assert np.allclose(after, before, atol=0.02)
    assert abs(unmoved.mean()) < 0.3 * before.mean()


def test_migrated_residual_norm_is_measured_in_the_target(subject_of: Any, maps: Any) -> None:
    vector = subject_of().vector

    moved = migrate(vector, maps)

    # Rotation keeps norms; the texts are others than the pairs that the source's norm is of.
    assert moved.residual_norms["resid_post.1"] == pytest.approx(
        vector.residual_norms["resid_post.1"], rel=0.05
    )


def test_migrate_carries_over_nothing_that_was_measured(subject_of: Any, maps: Any, rotated: Any) -> None:
    source = replace(subject_of().vector, window=(-0.3, 0.3), doses=((-0.3, 0.4), (0.3, 0.5)))

    moved = read_vector(write_vector(migrate(source, maps, "float32")))

    assert (moved.window, moved.doses, dict(moved.set_points)) == (None, (), {})
    assert moved.model == rotated.identity
    assert (moved.sign, moved.provenance.method) == (source.sign, "migrated")
    assert source.tensor_digest in moved.provenance.software
    assert moved.provenance.dataset_digest == source.provenance.dataset_digest


# --- alignment ---


@pytest.fixture(scope="module")
def spelling(demo_lm: Any) -> Any:
    """The demo model with a tokenizer that lacks a word, so that it spells it in bytes."""
    core = json.loads(demo_lm.tokenizer.backend_tokenizer.to_str())
    words = core["model"]["vocab"]
    words["zzzz"] = words.pop("friend")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=type(demo_lm.tokenizer.backend_tokenizer).from_str(json.dumps(core))
    )
    tokenizer.chat_template = demo_lm.tokenizer.chat_template
    tokenizer.add_special_tokens({"eos_token": "<end>", "bos_token": "<bos>"})
    return replace(demo_lm, tokenizer=tokenizer)


def test_align_with_other_tokens_joins_those_that_end_at_one_character(demo_lm: Any, spelling: Any) -> None:
    turn = Turn("hi", "hello friend . reset it")

    (text,) = align((demo_lm, spelling), [turn]).texts

    words = [
        lm.tokenizer.convert_ids_to_tokens([row[i] for i in at])
        for lm, row, at in zip((demo_lm, spelling), text.ids, text.at, strict=True)
    ]
    assert len(text.ids[1]) > len(text.ids[0])
    assert words[0] == ["hello", "friend", ".", "reset", "it"]
    assert words[1] == ["hello", "##d", ".", "reset", "it"]


def test_fit_maps_across_tokenizers_still_finds_the_map(demo_lm: Any, spelling: Any, turns: Any) -> None:
    (one,) = fit_maps(demo_lm, spelling, turns, [(PLACE, PLACE)])

    assert one.alignment == "characters"
    assert one.r2 > 0.9
    assert one.n_texts == len(turns)


def test_read_couples_of_one_model_with_itself_gives_equal_rows(demo_lm: Any, turns: Any) -> None:
    models = (demo_lm, demo_lm)
    texts = align(models, [*turns[:3], Turn("", "a text of its own")]).texts

    seen = {index: couples for index, couples in read_couples(models, texts, [(PLACE, PLACE)])}

    assert sorted(seen) == [0, 1, 2, 3]
    for index, ((x, y),) in seen.items():
        assert x.shape == (len(texts[index].ids[0]) - 1, 128)
        assert torch.equal(x, y)


# --- what is refused ---


def test_fit_maps_of_too_few_texts_says_how_many(demo_lm: Any, turns: Any) -> None:
    with pytest.raises(EvaluationError, match="at least 20"):
        fit_maps(demo_lm, demo_lm, turns[:9], [(PLACE, PLACE)])


def test_fit_map_of_another_models_vector_is_refused(
    demo_lm: Any, rotated: Any, turns: Any, subject_of: Any
) -> None:
    with pytest.raises(ModelMismatchError):
        fit_map(rotated, demo_lm, turns, subject_of().vector)


def test_migrate_with_a_map_that_explains_nothing_is_refused(subject_of: Any, maps: Any) -> None:
    with pytest.raises(EvaluationError, match="explains nothing"):
        migrate(subject_of().vector, [replace(maps[0], r2=-0.1)])


def test_migrate_without_a_map_of_its_place_is_refused(subject_of: Any, maps: Any) -> None:
    with pytest.raises(EvaluationError, match=r"no map for resid_post\.1"):
        migrate(subject_of().vector, [replace(maps[0], source_place=("resid_post", 3))])


@pytest.mark.parametrize(
    ("block", "n_source", "n_target", "expected"), [(1, 4, 4, 1), (3, 4, 8, 7), (0, 8, 4, 0), (15, 32, 16, 7)]
)
def test_matching_block_is_at_the_same_share_of_the_depth(
    block: int, n_source: int, n_target: int, expected: int
) -> None:
    assert matching_block(block, n_source, n_target) == expected


# --- ridge ---


def _parts(x: torch.Tensor, y: torch.Tensor) -> tuple[Moments, Moments, Moments]:
    parts = (
        Moments(x.shape[1], y.shape[1]),
        Moments(x.shape[1], y.shape[1]),
        Moments(x.shape[1], y.shape[1]),
    )
    for part, rows in zip(parts, torch.arange(len(x)).chunk(3), strict=True):
        part.add(x[rows], y[rows])
    return parts


@settings(max_examples=15, deadline=None)
@given(noise=st.floats(0.0, 3.0), shift=st.floats(-100, 100), seed=st.integers(0, 2**16))
def test_fit_ridge_of_a_planted_map_gives_the_r2_that_the_noise_leaves(
    noise: float, shift: float, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(3000, 4, generator=draw, dtype=torch.float64)
    truth = torch.eye(4, dtype=torch.float64)
    y = x @ truth + noise * torch.randn(3000, 4, generator=draw, dtype=torch.float64) + shift

    found = fit_ridge(*_parts(x, y))

    assert found.r2 == pytest.approx(1 / (1 + noise**2), abs=0.06)
    assert torch.allclose(found.weights, truth, atol=0.01 + 0.12 * noise)


def test_fit_ridge_of_unrelated_rows_explains_nothing() -> None:
    draw = torch.Generator().manual_seed(1)
    x, y = (torch.randn(300, 40, generator=draw) for _ in range(2))

    assert fit_ridge(*_parts(x, y)).r2 < 0.02
