import base64
import json
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given

from steering_core.errors import FormatError
from steering_core.formats import vllm_lens
from steering_core.formats.codes import ENGINE_ERROR_CODES
from steering_core.formats.loose import LooseVector
from tests.loose_vectors import loose_vector, loose_vectors, same_bits

# What vllm-lens 1.3.0's SteeringVector(activations=…, layer_indices=[0, 3, 10]).model_dump() gives for
# `loose_vector(blocks=(0, 3, 10))`.
THEIRS = {
    "activations": {
        "data": "KLUv/SBIFQIApAMAAAC/AAAAPwAAwD8AACBAAABgQAAAkEAAAGDAAAAgwAAAwL8owQAAGMEAAAjBAADwwAAA"
        "0MAAALDAAQA8snoC",
        "dtype": "float32",
        "original_dtype": "torch.float32",
        "shape": [3, 6],
        "compression": "zstd",
    },
    "layer_indices": [0, 3, 10],
    "scale": 1.0,
    "norm_match": False,
    "position_indices": None,
}


def tensor(values: Any, dtype: str = "float32", **fields: Any) -> dict[str, Any]:
    array = np.array(values, dtype=dtype)
    data = base64.b64encode(array.tobytes()).decode()
    return {"data": data, "dtype": dtype, "shape": list(array.shape), **fields}


def written(**fields: Any) -> bytes:
    """A file with one direction at layer 2, but for `fields`."""
    return json.dumps({"activations": tensor([[1.0, 2.0]]), "layer_indices": [2], **fields}).encode()


def zstd(packed: bytes) -> dict[str, Any]:
    data = base64.b64encode(packed).decode()
    return {"data": data, "dtype": "float32", "shape": [1, 2], "compression": "zstd"}


@given(loose_vectors())
def test_read_of_export_gives_it_back_bit_for_bit(loose: LooseVector) -> None:
    data = vllm_lens.export(loose).data
    again = vllm_lens.read(data)

    assert vllm_lens.matches(data)
    assert same_bits(again, loose)
    assert (again.operation, again.multiplier, again.warnings) == ("add", loose.multiplier, ())


@pytest.mark.parametrize("whole", [THEIRS, [THEIRS]])
def test_read_of_their_own_file_gives_its_directions(whole: object) -> None:
    assert same_bits(vllm_lens.read(json.dumps(whole).encode()), loose_vector(blocks=(0, 3, 10)))


def test_export_differs_from_theirs_in_the_compression_only() -> None:
    [ours] = json.loads(vllm_lens.export(loose_vector(blocks=(0, 3, 10))).data)
    theirs = json.loads(json.dumps(THEIRS))
    packed = theirs["activations"].pop("data")
    del theirs["activations"]["compression"]

    unpacked = zstandard.ZstdDecompressor().decompress(base64.b64decode(packed))
    assert base64.b64decode(ours["activations"].pop("data")) == unpacked
    assert ours == theirs


def test_read_of_halves_widens_them() -> None:
    row = np.array([[1.5, -3.0]], dtype=np.float32)
    brain = (row.view("<u4") >> 16).astype("<i2")
    half = tensor(row, "float16", original_dtype="torch.float16")
    for activations in (
        half,
        tensor(brain, "int16", original_dtype="torch.bfloat16"),
        tensor(row, "float64"),
    ):
        vector = vllm_lens.read(written(activations=activations, scale=2))

        assert np.array_equal(vector.at("resid_post", 2), row[0])
        assert vector.multiplier == 2.0


@pytest.mark.parametrize("fields", [{"operation": "project"}, {"operation": "clamp"}])
def test_export_of_another_operation_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(FormatError) as caught:
        vllm_lens.export(loose_vector(**fields))

    assert caught.value.code == "engine.operation"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"[]", "engine.request"),
        (json.dumps([THEIRS, THEIRS]).encode(), "engine.request"),
        (written(other=1), "engine.request"),
        (written(layer_indices=[]), "engine.request"),
        (written(layer_indices=[-1]), "engine.request"),
        (written(layer_indices=[True]), "engine.request"),
        (written(layer_indices=[2, 2]), "engine.request"),
        (written(layer_indices=[10**30]), "engine.request"),
        (written(layer_indices=[1, 2]), "engine.payload"),
        (written(norm_match=True), "engine.operation"),
        (written(norm_match=1), "engine.operation"),
        (written(position_indices=[0]), "engine.operation"),
        (written(scale="2"), "engine.multiplier"),
        (written(activations=[1.0]), "engine.payload"),
        (written(activations=tensor([1.0, 2.0])), "engine.payload"),
        (written(activations=tensor([[[1.0, 2.0]]])), "engine.payload"),
        (written(activations=tensor([[1, 2]], "int16")), "engine.dtype"),
        (written(activations=tensor([[1, 2]], "int64")), "engine.dtype"),
        (written(activations=tensor([[1.0, 2.0]], shape=[1, 3])), "engine.payload"),
        (written(activations=tensor([[1.0, 2.0]], shape=[1, 0])), "engine.payload"),
        (written(activations=tensor([[1.0, 2.0]], shape=[1, -2])), "engine.payload"),
        (written(activations=tensor([[1.0, 2.0]], compression="gzip")), "engine.payload"),
        (written(activations=tensor([[1.0, 2.0]], data="*")), "engine.payload"),
        (written(activations=tensor([[1.0, 2.0]], data="é")), "engine.payload"),
        (written(activations=tensor([[1.0, 2.0]], compression="zstd")), "engine.payload"),
        (written(activations=tensor([[1.0, np.nan]])), "format.not_finite"),
        (written(activations=zstd(b"")), "engine.payload"),
        (written(activations=zstd(zstandard.compress(bytes(9)))), "engine.payload"),
        (written(activations=zstd(zstandard.compress(bytes(8))[:-2])), "engine.payload"),
    ],
)
def test_read_of_what_cannot_be_meant_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        vllm_lens.read(data)

    assert caught.value.code == code
    assert code.startswith("format.") or code in ENGINE_ERROR_CODES
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("says_its_size", [True, False])
def test_read_of_a_bomb_unpacks_no_more_than_the_shape(says_its_size: bool) -> None:
    """1 GiB of zeros in 32 KiB."""
    packing = zstandard.ZstdCompressor(write_content_size=says_its_size).compressobj(
        size=2**30 if says_its_size else -1
    )
    packed = b"".join([*(packing.compress(bytes(2**20)) for _ in range(2**10)), packing.flush()])

    with pytest.raises(FormatError) as caught:
        vllm_lens.read(written(activations=zstd(packed)))

    assert caught.value.code == "engine.payload"
