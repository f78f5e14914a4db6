import json
from dataclasses import fields, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from safetensors import safe_open

from steering_core.errors import FormatError
from steering_core.formats.bearing import inspect_vector, read_vector, write_vector
from steering_core.formats.codes import FORMAT_ERROR_CODES
from steering_core.formats.header import read_header
from steering_core.spec import ModelIdentity, Provenance, digest
from steering_core.vector import SteeringVector
from tests.fuzz import check, random_search
from tests.hostile_files.mutation import mutated
from tests.hostile_files.vectors import DIGEST, encode, good_vector, good_vectors, join_file, split_file

FINITE = st.floats(min_value=-1000, max_value=1000, width=32)
NAMES = st.text('abcXYZ019 é漢-_./🙂"\\', min_size=1, max_size=40)
SITES = ["resid_post", "mlp_out", "attn_out", "resid_post@0", "resid_post@99"]
KEYS = st.builds("{}.{}".format, st.sampled_from(SITES), st.integers(0, 11))
STRENGTHS = st.floats(-1000, 1000)
WINDOWS = st.lists(STRENGTHS, min_size=2, max_size=2, unique=True).map(lambda ends: tuple(sorted(ends)))
DOSES = st.dictionaries(STRENGTHS, st.floats(0, 1e6), max_size=64).map(
    lambda nats: tuple(sorted(nats.items()))
)
SET_POINTS = st.floats(-1e9, 1e9)


@st.composite
def vectors(draw: st.DrawFn) -> SteeringVector:
    """Any vector that a file may hold, on a model of twelve blocks."""
    width = draw(st.integers(1, 12))
    rows = stn.arrays(np.float32, width, elements=FINITE).filter(lambda row: np.abs(row).max() > 1e-3)
    directions = draw(st.dictionaries(KEYS, rows, min_size=1, max_size=6))
    measured = draw(st.sets(st.sampled_from(sorted(directions))))
    dtype = draw(st.sampled_from(["", "float32", "bfloat16"]))
    return SteeringVector(
        model=ModelIdentity(draw(NAMES), DIGEST, "LlamaForCausalLM", 12, width),
        directions=directions,
        residual_norms={key: draw(st.floats(1e-9, 1e9)) for key in directions},
        set_points={key: (draw(SET_POINTS), draw(SET_POINTS)) for key in measured},
        operation=draw(st.sampled_from(["add", "project", "clamp"])),
        sign=draw(st.sampled_from(["positive", "negative", "unknown"])),
        window=draw(st.none() | WINDOWS),
        doses=draw(DOSES),
        provenance=Provenance("mean_difference", "prompt_last", DIGEST, "", draw(NAMES), dtype),
    )


@given(vectors())
def test_read_vector_of_written_vector_gives_it_back(vector: SteeringVector) -> None:
    data = write_vector(vector)
    again = read_vector(data, digest(data))

    for field in fields(SteeringVector):
        if field.name != "directions":
            assert getattr(again, field.name) == getattr(vector, field.name)
    assert again.tensor_digest == vector.tensor_digest
    assert write_vector(again) == data


@given(vectors())
def test_read_vector_of_the_negative_gives_it_back(vector: SteeringVector) -> None:
    data = write_vector(-vector)

    assert write_vector(read_vector(data)) == data
    assert write_vector(-read_vector(data)) == write_vector(vector)


def test_write_vector_zero_without_and_with_a_sign_gives_the_same_bytes() -> None:
    plain = replace(good_vector(), window=(0.0, 0.5), doses=((0.0, 0.0),))
    signed = replace(plain, window=(-0.0, 0.5), doses=((-0.0, -0.0),))

    assert write_vector(signed) == write_vector(plain)


@pytest.mark.parametrize(
    "changes",
    [
        {"window": (-1001.0, 0.5)},
        {"doses": ((0.3, 1.5e6),)},
        {"doses": tuple((strength / 10, 0.5) for strength in range(65))},
        {"set_points": {"resid_post.1": (0.0, 1.5e9)}},
        {"residual_norms": {"resid_post.1": 1e-10, "resid_post.2": 1.0}},
    ],
)
def test_write_vector_beyond_the_limits_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError) as caught:
        write_vector(replace(good_vector(), **changes))

    assert caught.value.code == "format.manifest_value"


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
    header, tensors = split_file(write_vector(good_vector()))
    manifest = json.loads(header["__metadata__"]["manifest"])
    for field in set(manifest) - {"format_version"}:
        header["__metadata__"]["manifest"] = json.dumps({**manifest, field: {"x": value}})
        with pytest.raises(FormatError):
            read_vector(join_file(encode(header), tensors))


@settings(max_examples=500)
@given(st.randoms(use_true_random=False))
def test_read_vector_mutated_file_is_refused_or_is_what_it_says(random: Random) -> None:
    data = mutated(write_vector(random.choice(good_vectors())), random)

    assert check(data) in {"read", *FORMAT_ERROR_CODES}


def test_fuzz_search_reads_some_and_refuses_the_rest() -> None:
    found = random_search(60, seed=3, executions=3000)

    assert found.total() == 3000
    assert found["read"] > 30
    assert len(found) > 20


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
    turned = replace(
        vector,
        directions=dict(reversed(vector.directions.items())),
        residual_norms=dict(reversed(vector.residual_norms.items())),
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
