import hashlib

import numpy as np
import pytest
from gguf import GGUFValueType
from hypothesis import given

from steering_core.errors import FormatError
from steering_core.formats import easysteer_gguf, glp, llama_cpp
from steering_core.formats.gguf_file import Field, GgufFile, read_gguf, write_gguf
from steering_core.formats.loose import LooseVector, loosen
from tests.hostile_files.vectors import good_vector
from tests.loose_vectors import loose_vector, loose_vectors, same_bits, unit_vector

ALL_SITES = ("resid_post", "mlp_out", "attn_out")


def edited(loose: LooseVector, *, drop: str = "", **changes: Field | str) -> bytes:
    """The GLP file of a vector with other values for some keys; `_` stands for a dot in their names."""
    file = read_gguf(glp.export(loose).data)
    fields = {key: field for key, field in file.fields.items() if key not in ("general.architecture", drop)}
    for name, value in changes.items():
        key = "glp." + name
        fields[key] = Field(GGUFValueType.STRING, value) if isinstance(value, str) else value
    return write_gguf("controlvector", fields, dict(file.tensors))


def uint32(value: int) -> Field:
    return Field(GGUFValueType.UINT32, value)


def said(file: GgufFile) -> dict[str, object]:
    return {key: field.value for key, field in file.fields.items()}


@given(loose_vectors(sites=ALL_SITES, first_block=1))
def test_read_of_exported_addition_gives_directions_back_bit_for_bit(loose: LooseVector) -> None:
    data = glp.export(loose).data
    again = glp.read(data)

    assert glp.matches(data)
    assert same_bits(again, loose)
    assert (again.operation, again.multiplier, again.n_layers) == ("add", loose.multiplier, loose.n_layers)


@given(loose_vectors(sites=ALL_SITES, operations=("project",), first_block=1))
def test_read_of_exported_projection_gives_unit_directions_that_stay_as_they_are(loose: LooseVector) -> None:
    if not all(row.any() for row in loose.directions.values()):
        with pytest.raises(FormatError, match="is zero"):
            glp.export(loose)
        return
    once = glp.read(glp.export(loose).data)

    assert (once.sites, once.operation, once.multiplier) == (loose.sites, "project", loose.multiplier)
    for key, row in once.directions.items():
        exact = loose.directions[key].astype(np.float64)
        np.testing.assert_allclose(row, exact / np.linalg.norm(exact), rtol=1e-6, atol=1e-44)
    assert same_bits(glp.read(glp.export(once).data), once)


@pytest.mark.parametrize("site", ALL_SITES)
def test_export_unit_projection_is_written_as_it_is_with_what_it_means(site: str) -> None:
    loose = unit_vector(site, multiplier=0.25)
    exported = glp.export(loose)
    file = read_gguf(exported.data)

    assert same_bits(glp.read(exported.data), loose)
    content = b"".join(loose.at(site, block).tobytes() for block in (1, 3))
    assert (
        said(file).items()
        >= {
            "general.type": "controlvector",
            "glp.spec_version": 1,
            "glp.mode": "project",
            "glp.hook_point": glp.HOOK_POINTS[site],
            "glp.alpha_default": 0.25,
            "glp.rank": 1,
            "glp.orthonormal": True,
            "glp.layer_ids_zero_based": "1,3",
            "glp.content_sha256": hashlib.sha256(content).hexdigest(),
        }.items()
    )
    assert "llama.cpp ignores glp.mode" in exported.warnings[0]
    assert "0.25" in exported.usage


def test_export_of_native_vector_says_its_method_and_model() -> None:
    file = read_gguf(glp.export(loosen(good_vector())).data)

    assert file.text("glp.method") == "mean_difference"
    assert file.text("general.base_model.0.name") == "tiny"
    assert file.integer("bearing.n_layers") == 4


def test_export_of_read_file_keeps_the_pin_of_the_base_model() -> None:
    data = edited(unit_vector("mlp_out"), contrast="a_vs_b", derived_at="residual_stream_post_layer")
    vector = glp.read(data)

    again = glp.read(glp.export(vector).data)

    assert again.notes["glp.contrast"] == "a_vs_b"
    assert "derived at residual_stream_post_layer but applied at ffn_out" in again.warnings[0]


@pytest.mark.parametrize(
    ("loose", "code"),
    [
        (loose_vector(operation="clamp"), "engine.operation"),
        (loose_vector("resid_post@1"), "engine.site"),
        (unit_vector("mlp_out", blocks=(0,)), "engine.block_0"),
        (loose_vector(multiplier=float("nan")), "engine.multiplier"),
        (
            LooseVector(source="t", directions={"mlp_out.1": np.ones(2), "attn_out.1": np.ones(2)}),
            "engine.site",
        ),
    ],
)
def test_export_of_what_glp_cannot_say_is_refused(loose: LooseVector, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        glp.export(loose)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mode": "rotate"}, "engine.glp_mode"),
        ({"mode": uint32(1)}, "engine.gguf_field"),
        ({"spec_version": uint32(3)}, "engine.glp_version"),
        ({"spec_version": "1"}, "engine.gguf_field"),
        ({"rank": uint32(2)}, "engine.rank"),
        ({"dir_scales": "1.0"}, "engine.glp_scales"),
        ({"layer_scales": "1:0.5"}, "engine.glp_scales"),
        ({"hook_point": "embeddings"}, "engine.hook_point"),
        ({"layer_ids_zero_based": "0,2"}, "engine.glp_layers"),
        ({"layer_ids_zero_based": "1"}, "engine.glp_layers"),
        ({"layer_ids_zero_based": "1,3,"}, "engine.glp_layers"),
        ({"content_sha256": "00" * 32}, "engine.digest"),
        ({"alpha_default": Field(GGUFValueType.FLOAT32, float("inf"))}, "engine.gguf_field"),
    ],
)
def test_read_of_what_the_spec_refuses_is_refused(changes: dict[str, Field | str], code: str) -> None:
    with pytest.raises(FormatError) as caught:
        glp.read(edited(unit_vector("mlp_out"), **changes))

    assert caught.value.code == code


def test_read_further_direction_of_a_block_is_refused() -> None:
    rows = {"direction.1": np.float32([1, 0]), "direction.1.1": np.float32([0, 1])}
    mode = {"glp.mode": Field(GGUFValueType.STRING, "project"), "glp.spec_version": uint32(2)}

    with pytest.raises(FormatError) as caught:
        glp.read(write_gguf("controlvector", mode, rows))

    assert caught.value.code == "engine.rank"


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ({"direction.0": np.float32([1, 0])}, "engine.block_0"),
        ({"direction.1": np.float32([0, 0])}, "engine.zero"),
    ],
)
def test_read_tensors_that_glp_rejects_are_refused(rows: dict[str, np.ndarray], code: str) -> None:
    with pytest.raises(FormatError) as caught:
        glp.read(write_gguf("controlvector", {"glp.mode": Field(GGUFValueType.STRING, "project")}, rows))

    assert caught.value.code == code


def test_read_file_from_before_glp_is_refused_also_by_the_reader_of_llama_cpp() -> None:
    dspark = {"dspark.mode": Field(GGUFValueType.STRING, "project")}
    data = write_gguf("controlvector", dspark, {"direction.1": np.float32([1, 0])})

    for read in (glp.read, llama_cpp.read):
        with pytest.raises(FormatError) as caught:
            read(data)
        assert caught.value.code == "engine.glp_mode"


def test_read_without_mode_adds_at_the_residual_stream() -> None:
    data = write_gguf("controlvector", {}, {"direction.2": np.float32([3, 4])})

    vector = glp.read(data)

    assert (vector.operation, vector.sites, vector.blocks("resid_post")) == ("add", ("resid_post",), (2,))


def test_read_projection_of_other_norms_warns_that_readers_differ() -> None:
    mode = {"glp.mode": Field(GGUFValueType.STRING, "project")}
    data = write_gguf("controlvector", mode, {"direction.2": np.float32([3, 4])})

    warnings = " ".join(glp.read(data).warnings)

    assert "from 5 to 5" in warnings
    assert "no glp.hook_point" in warnings
    assert "no glp.alpha_default" in warnings


def test_matches_tells_the_files_of_the_family_apart() -> None:
    plain = write_gguf("controlvector", {}, {"direction.2": np.float32([3, 4])})
    files = {
        llama_cpp: plain,
        glp: glp.export(loose_vector()).data,
        easysteer_gguf: easysteer_gguf.export(loose_vector()).data,
    }

    for module in files:
        assert [module.matches(data) for data in files.values()] == [other is module for other in files]
