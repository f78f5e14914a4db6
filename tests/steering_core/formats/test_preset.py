"""Presets as files, and what engines are told about a mix."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.errors import FormatError
from steering_core.formats.codes import FORMAT_ERROR_CODES, PRESET_ERROR_CODES
from steering_core.formats.preset import MAX_MEMBERS, Preset, PresetMember, applied, read_preset, write_preset
from steering_core.formats.preset_engines import SHOWN, Part, mix_use
from steering_core.spec import canonical_json
from steering_core.vector import SteeringVector
from tests.hostile_files.vectors import good_vector

KNOWN = {*PRESET_ERROR_CODES, *FORMAT_ERROR_CODES}
HASH = "sha256:" + "ab" * 32


def member(number: int = 0, **fields: Any) -> PresetMember:
    return PresetMember(
        **{
            "reference": f"acme/trait-{number}@1.0.0",
            "digest": f"sha256:{number:064x}",
            "strength": 0.2,
            "label": f"Trait {number}",
            "range": (-0.3, 0.45),
            **fields,
        }
    )


def preset(n: int = 2, **fields: Any) -> Preset:
    return Preset(
        **{
            "name": "acme/warm-and-brief",
            "version": "1.0.0",
            "title": "Warm and brief",
            "description": "Two lines\nof words.",
            "model_name": "bearing/demo",
            "model_hash": HASH,
            "members": tuple(map(member, range(n))),
            **fields,
        }
    )


strengths = st.floats(-1000, 1000)
words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=40)


@st.composite
def presets(draw: st.DrawFn) -> Preset:
    ranges = draw(st.lists(st.tuples(strengths, strengths, strengths).map(sorted), min_size=1, max_size=12))
    rows = [
        member(i, strength=at, range=(low, high), label=f"{i} {draw(words)}"[:40], low_label=draw(words))
        for i, (low, at, high) in enumerate(ranges)
    ]
    return preset(members=tuple(rows), mode=draw(st.sampled_from(["sum", "equal_dose"])))


@given(presets())
def test_preset_returns_from_its_one_encoding(one: Preset) -> None:
    assert read_preset(write_preset(one)) == one


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(
    junk,
    st.sampled_from(["", "name", "title", "base_model", "members", "mode", "composition", "label", "range"]),
)
def test_whatever_stands_in_a_field_is_read_or_refused_with_a_code(value: Any, at: str) -> None:
    fields = preset().to_json()
    if at in ("label", "range"):
        fields["members"][0][at] = value
    elif at:
        fields[at] = value
    data = canonical_json(fields if at else value)
    refused = None
    try:
        assert write_preset(read_preset(data)) == data
    except FormatError as error:
        refused = error.code
    assert refused is None or refused in KNOWN


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"preset_version": 2}, "preset.version"),
        ({"extra": 1}, "preset.fields"),
        ({"mode": "product"}, "preset.value"),
        ({"members": []}, "preset.value"),
        ({"composition": {"format": "other"}}, "preset.value"),
        ({"title": "hid\u200bden"}, "preset.value"),
    ],
)
def test_wrong_field_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_preset(canonical_json(preset().to_json() | change))

    assert caught.value.code == code


def test_integer_where_a_decimal_belongs_and_spaces_are_refused() -> None:
    fields = preset().to_json()
    with pytest.raises(FormatError, match="canonical"):
        read_preset(json.dumps(fields).encode())
    fields["members"][0]["strength"] = 0
    with pytest.raises(FormatError, match="decimal"):
        read_preset(canonical_json(fields))


def test_members_are_few_different_and_within_their_ranges() -> None:
    with pytest.raises(FormatError, match="expected 1 to 12"):
        preset(MAX_MEMBERS + 1)
    with pytest.raises(FormatError, match="label"):
        preset(members=(member(0), member(1, label="TRAIT 0")))
    with pytest.raises(FormatError, match="digest"):
        preset(members=(member(0), replace(member(0), label="Other")))
    with pytest.raises(FormatError, match=r"-0.3 to 0.45"):
        member(strength=0.5)


def test_sliders_are_moved_by_label_within_their_ranges() -> None:
    assert preset().strengths({"Trait 1": -0.1}) == (0.2, -0.1)
    with pytest.raises(FormatError, match=r"goes from -0.3 to 0.45"):
        preset().strengths({"Trait 1": 0.6})
    with pytest.raises(FormatError, match="this preset has Trait 0, Trait 1"):
        preset().strengths({"Warmth": 0.1})


def test_equal_dose_keeps_the_dose_of_one_vector_and_counts_no_slider_at_0() -> None:
    assert applied("equal_dose", (0.2, 0.0, 0.2)) == pytest.approx(
        (0.2 / math.sqrt(2), 0, 0.2 / math.sqrt(2))
    )
    assert applied("sum", (0.2, 0.2)) == (0.2, 0.2)
    assert applied("equal_dose", (0.0,)) == (0.0,)


def part(number: int = 0, strength: float = 0.2, **fields: Any) -> Part:
    row = member(number)
    return Part(row.label, row.reference, replace(good_vector(), **fields), strength)


def at(key: str, **fields: Any) -> dict[str, Any]:
    (direction, *_) = good_vector().directions.values()
    return {"directions": {key: direction}, "residual_norms": {key: 10.0}, "set_points": {}, **fields}


def test_easysteer_is_told_to_apply_all_vectors_each_at_its_strength() -> None:
    use = mix_use(
        "easysteer-request", [part(0, 0.2, **at("resid_post.1")), part(1, -0.1, **at("resid_post.2"))]
    )

    assert use.reason == ""
    assert use.body is not None
    assert [row["scale"] for row in use.body["vectors"]] == [0.2, -0.1]
    # By default the first vector at a position wins, and the others do nothing.
    assert use.body["conflict"] == "sequential"
    assert "--steer-algorithms direct --steer-multi-vector" in use.usage


def test_llama_cpp_gets_one_flag_with_all_files_and_the_commands_that_make_them() -> None:
    use = mix_use("llama.cpp", [part(0, 0.2, **at("resid_post.1")), part(1, -0.1, **at("resid_post.2"))])

    assert "--control-vector-scaled acme-trait-0.gguf:0.2,acme-trait-1.gguf:-0.1" in use.usage
    assert use.convert[1] == (
        "bearing convert acme/trait-1@1.0.0 acme-trait-1.gguf --to llama.cpp --strength 1"
    )


def test_engine_that_cannot_say_a_member_says_which_and_why() -> None:
    use = mix_use("llama.cpp", [part(0, **at("resid_post.1")), part(1, **at("mlp_out.1"))])

    assert (use.usage, use.body) == ("", None)
    assert list(use.refused) == ["Trait 1"]
    assert "mlp_out" in use.reason


def test_ds4_takes_one_projection_and_no_more() -> None:
    one = part(0, 0.5, **at("mlp_out.1", operation="project"))
    two = part(1, 0.5, **at("mlp_out.2", operation="project"))

    assert "--dir-steering-file acme-trait-0.f32 --dir-steering-ffn 0.5" in mix_use("ds4", [one]).usage
    assert "one direction file" in mix_use("ds4", [one, two]).reason
    assert mix_use("ds4", [one, replace(two, strength=0.0)]).reason == ""


def test_python_is_python_and_every_engine_has_words() -> None:
    parts = [part(0, 0.2, **at("resid_post.1")), part(1, -0.1, **at("resid_post.2"))]
    for engine in SHOWN:
        use = mix_use(engine, parts)
        assert bool(use.usage) != bool(use.reason)
    for engine in ("bearing", "python"):
        compile(mix_use(engine, parts).usage, engine, "exec")
    assert "Every slider is at 0" in mix_use("bearing", [part(strength=0.0)]).reason
    with pytest.raises(FormatError, match="choose one of"):
        mix_use("vllm", parts)


def test_vector_of_a_part_is_the_one_that_was_given() -> None:
    assert isinstance(part().vector, SteeringVector)
    assert part().stem == "acme-trait-0"
