import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from steering_core.errors import FormatError
from steering_core.formats import svec
from steering_core.formats.codes import ENGINE_ERROR_CODES
from steering_core.formats.loose import LooseVector, loosen
from tests.hostile_files.vectors import good_vector
from tests.loose_vectors import N_LAYERS, loose_vector, loose_vectors, same_bits


def written(directions: dict[str, Any], **fields: Any) -> bytes:
    """A file as either program writes it."""
    return json.dumps({"model_type": "llama", "directions": directions, **fields}).encode()


@given(loose_vectors())
def test_read_of_export_gives_directions_back_bit_for_bit(loose: LooseVector) -> None:
    blocks = [block for block in loose.blocks("resid_post") if block + 1 != loose.n_layers]
    if not blocks:
        with pytest.raises(FormatError) as caught:
            svec.export(loose)
        assert caught.value.code == "engine.last_block"
        return
    data = svec.export(loose).data
    again = svec.read(data)

    assert svec.matches(data)
    assert again.blocks("resid_post") == tuple(blocks)
    for block in blocks:
        assert again.at("resid_post", block).tobytes() == loose.at("resid_post", block).tobytes()
    assert svec.export(again).data == data


def test_export_names_the_layer_whose_input_the_block_is() -> None:
    exported = svec.export(loosen(good_vector(), strength=0.3))
    fields = json.loads(exported.data)

    assert set(fields) == {"model_type", "directions", "explained_variances"}
    assert list(fields["directions"]) == ["2", "3"]
    assert (
        np.float32(fields["directions"]["2"]).tobytes()
        == good_vector().addition(0.3, "resid_post.1").tobytes()
    )
    assert fields["model_type"] == "llama"
    assert "behavior_layer_ids=[2, 3]" in exported.usage
    assert exported.warnings == ()


def test_export_last_block_is_left_out_with_a_warning() -> None:
    exported = svec.export(loose_vector(blocks=(2, N_LAYERS - 1)))

    assert list(json.loads(exported.data)["directions"]) == ["3"]
    assert "last block was left out" in exported.warnings[0]


@pytest.mark.parametrize(
    ("loose", "code"),
    [
        (loose_vector(operation="project"), "engine.operation"),
        (loose_vector(operation="clamp"), "engine.operation"),
        (loose_vector("mlp_out"), "engine.site"),
        (loose_vector("resid_post@1"), "engine.site"),
        (loose_vector(blocks=(N_LAYERS - 1,)), "engine.last_block"),
    ],
)
def test_export_of_what_would_be_misread_is_refused(loose: LooseVector, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        svec.export(loose)

    assert caught.value.code == code


def test_read_gives_what_is_applied_in_both_dialects() -> None:
    flat = svec.read(written({"1": [1, 2.5], "12": [-0.5, 3]}, explained_variances={"1": 0.9}))
    nested = svec.read(written({"1": [[1, 2.5]], "12": [[-0.5, 3]]}))

    assert flat.blocks("resid_post") == (0, 11)
    assert np.array_equal(flat.at("resid_post", 0), [1, 2.5])
    assert same_bits(flat, nested)
    assert (flat.model, flat.operation, flat.multiplier) == ("llama", "add", 1.0)
    assert ["one block before" in flat.warnings[0], len(flat.warnings)] == [True, 1]
    assert "CAA" in nested.warnings[1]


def test_read_layer_0_is_left_out_with_a_warning() -> None:
    vector = svec.read(written({"0": [1, 2], "3": [3, 4]}))

    assert vector.blocks("resid_post") == (2,)
    assert "embeddings" in vector.warnings[-1]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (written({}), "engine.svec"),
        (written({"directions": [1]}), "engine.svec"),
        (written({"-1": [1.0]}), "engine.svec"),
        (written({"01": [1.0]}), "engine.svec"),
        (written({"1": [1.0]}, num_heads=4, head_dim=1), "engine.svec"),
        (written({"0": [1.0]}), "engine.embeddings"),
        (written({"1": [[1.0], [2.0]]}), "engine.rank"),
        (written({"1": []}), "engine.numbers"),
        (written({"1": [[]]}), "engine.numbers"),
        (written({"1": [1, True]}), "engine.numbers"),
        (written({"1": [1, None]}), "engine.numbers"),
        (written({"1": "abc"}), "engine.numbers"),
        (written({"1": [0.0] * 65_537}), "engine.numbers"),
        (written({"1": [1e39]}), "format.not_finite"),
        (written({"1": [1.0], "2": [1.0, 2.0]}), "format.dimension"),
        (b'{"model_type": "a", "directions": {"1": [NaN]}}', "format.not_json"),
        (b'{"model_type": "a", "directions": {"1": [1], "1": [2]}}', "format.duplicate_key"),
        (b'{"model_type": "\xff", "directions": 1}', "format.not_json"),
        (b"[" * 100 + b'"directions""model_type"', "format.too_deep"),
    ],
)
def test_read_of_what_cannot_be_meant_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        svec.read(data)

    assert caught.value.code == code
    assert code.startswith("format.") or code in ENGINE_ERROR_CODES
    assert len(caught.value.message) < 400
