import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from safetensors import safe_open

from steering_core.errors import FormatError
from steering_core.formats.bearing import inspect_vector, read_vector, write_vector
from steering_core.formats.header import read_header
from steering_core.spec import ModelIdentity, Provenance, digest
from steering_core.vector import SteeringVector
from tests.hostile_files.vectors import DIGEST, good_vector, join_file, split_file

FINITE = st.floats(min_value=-1000, max_value=1000, width=32)
NAMES = st.text('abcXYZ019 é漢-_./🙂"\\', min_size=1, max_size=40)
KEYS = st.builds("{}.{}".format, st.sampled_from(["resid_post", "mlp_out", "attn_out"]), st.integers(0, 11))


@st.composite
def vectors(draw: st.DrawFn) -> SteeringVector:
    """Any vector that a file may hold, on a model of twelve blocks."""
    width = draw(st.integers(1, 12))
    rows = stn.arrays(np.float32, width, elements=FINITE).filter(lambda row: np.abs(row).max() > 1e-3)
    directions = draw(st.dictionaries(KEYS, rows, min_size=1, max_size=6))
    norms = {key: draw(st.floats(1e-3, 1e6)) for key in directions}
    low, high = draw(st.floats(-2, -0.01)), draw(st.floats(0.01, 2))
    return SteeringVector(
        model=ModelIdentity(draw(NAMES), DIGEST, "LlamaForCausalLM", 12, width),
        directions=directions,
        residual_norms=norms,
        operation=draw(st.sampled_from(["add", "project", "clamp"])),
        window=draw(st.sampled_from([None, (low, high)])),
        provenance=Provenance("mean_difference", "prompt_last", DIGEST, "", draw(NAMES)),
    )


@given(vectors())
def test_read_vector_of_written_vector_gives_it_back(vector: SteeringVector) -> None:
    data = write_vector(vector)
    again = read_vector(data, digest(data))

    assert again.model == vector.model
    assert again.provenance == vector.provenance
    assert (again.operation, again.window) == (vector.operation, vector.window)
    assert again.residual_norms == vector.residual_norms
    assert again.tensor_digest == vector.tensor_digest
    assert write_vector(again) == data


@given(st.binary(max_size=600))
def test_read_vector_any_bytes_raises_only_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_vector(data)


@given(st.binary(max_size=400), st.binary(max_size=64))
def test_read_header_any_header_raises_only_format_error(header: bytes, tensors: bytes) -> None:
    with pytest.raises(FormatError):
        read_header(join_file(b"{" + header, tensors))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_read_vector_any_manifest_value_raises_only_format_error(value: object) -> None:
    fields, tensors = split_file(write_vector(good_vector()))
    manifest = json.loads(fields["__metadata__"]["manifest"])
    for field in ("model", "directions", "window"):
        fields["__metadata__"]["manifest"] = json.dumps({**manifest, field: {"x": value}})
        with pytest.raises(FormatError):
            read_vector(join_file(json.dumps(fields).encode(), tensors))


def test_read_vector_any_flipped_byte_is_detected() -> None:
    data = write_vector(good_vector())
    promised = digest(data)
    for position in range(len(data)):
        for bits in (0x01, 0x20, 0x80):
            damaged = data[:position] + bytes([data[position] ^ bits]) + data[position + 1 :]
            with pytest.raises(FormatError):
                read_vector(damaged, promised)


def test_read_vector_flipped_byte_without_digest_is_refused_or_says_something_else() -> None:
    """What passes is another valid file: its text differs, its tensors do not."""
    vector = good_vector()
    data = write_vector(vector)
    for position in range(len(data)):
        damaged = data[:position] + bytes([data[position] ^ 0x01]) + data[position + 1 :]
        try:
            other = read_vector(damaged)
        except FormatError:
            continue
        assert other.tensor_digest == vector.tensor_digest
        assert write_vector(other) == damaged != data


def test_write_vector_same_vector_gives_same_bytes_whatever_the_order_of_directions() -> None:
    vector = good_vector()
    turned = SteeringVector(
        model=vector.model,
        directions=dict(reversed(vector.directions.items())),
        residual_norms=dict(reversed(vector.residual_norms.items())),
        provenance=vector.provenance,
        window=vector.window,
    )

    assert write_vector(turned) == write_vector(vector)


def test_write_vector_zero_direction_is_refused() -> None:
    with pytest.raises(FormatError, match="all zero") as caught:
        write_vector(good_vector() * 0.0)

    assert caught.value.code == "format.zero"


def test_write_vector_file_is_read_by_safetensors(tmp_path: Path) -> None:
    vector = good_vector()
    file = tmp_path / "vector.safetensors"
    file.write_bytes(write_vector(vector))

    with safe_open(file, "numpy") as opened:
        assert opened.metadata()["format"] == "bearing"
        assert set(opened.keys()) == set(vector.directions)
        np.testing.assert_array_equal(opened.get_tensor("resid_post.2"), vector.directions["resid_post.2"])


def test_read_vector_malformed_expected_digest_is_refused() -> None:
    with pytest.raises(FormatError) as caught:
        read_vector(write_vector(good_vector()), "md5:00")

    assert caught.value.code == "format.digest"


def test_inspect_vector_good_file_gives_scale_and_digests() -> None:
    data = write_vector(good_vector())
    shown = inspect_vector(data)

    assert json.loads(json.dumps(shown)) == shown
    assert shown["digest"] == digest(data)
    assert [direction["block"] for direction in shown["directions"]] == [1, 2]
    first = shown["directions"][0]
    assert first["ratio"] == pytest.approx(first["norm"] / first["residual_norm"])


@settings(max_examples=20)
@given(st.integers(1, 64))
def test_write_vector_header_is_aligned_to_eight_bytes(width: int) -> None:
    data = write_vector(good_vector(width))

    assert read_header(data).data_start % 8 == 0
