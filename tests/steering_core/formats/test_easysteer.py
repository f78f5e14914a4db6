import base64
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from gguf import GGUFWriter
from hypothesis import given
from hypothesis import strategies as st

from steering_core.errors import FormatError
from steering_core.formats import easysteer_gguf, easysteer_request, easysteer_wire, llama_cpp
from steering_core.formats.gguf_file import read_gguf
from steering_core.formats.loose import LooseVector
from tests.loose_vectors import loose_vector, loose_vectors, same_bits

# What EasySteer's own DirectionVector({0: [1, 2], 10: [-0.5, 3], 2: [0, 1]}).to_wire() gives, at 6267ca0.
THEIRS = {
    "version": 1,
    "kind": "direction",
    "tensors": {
        "layer.0": {"shape": [2], "data": "AACAPwAAAEA="},
        "layer.10": {"shape": [2], "data": "AAAAvwAAQEA="},
        "layer.2": {"shape": [2], "data": "AAAAAAAAgD8="},
    },
    "extra": {},
    "sha256": "c0b33b429824fae1d340724eb5ef3be1172c60e81a906e6d707d47511b0da839",
}


def easysteer_file(path: Path, **metadata: float | str) -> bytes:
    """A file as EasySteer's extractors write it: each value a key, blocks from 0."""
    writer = GGUFWriter(path, "controlvector")
    writer.add_string("controlvector.model_hint", "qwen")
    writer.add_string("controlvector.method", "diffmean")
    writer.add_uint32("controlvector.layer_count", 3)
    for key, value in metadata.items():
        add = writer.add_string if isinstance(value, str) else writer.add_float32
        add(f"controlvector.{key}", value)
    for block in range(3):
        writer.add_tensor(f"direction.{block}", np.float32([0, 1, block]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@given(loose_vectors(operations=("add", "project")))
def test_gguf_read_of_export_gives_it_back_bit_for_bit(loose: LooseVector) -> None:
    data = easysteer_gguf.export(loose).data
    again = easysteer_gguf.read(data)

    assert easysteer_gguf.matches(data)
    assert same_bits(again, loose)
    assert (again.operation, again.n_layers) == (loose.operation, loose.n_layers)


@given(loose_vectors())
def test_wire_read_of_export_gives_it_back_bit_for_bit(loose: LooseVector) -> None:
    data = easysteer_wire.export(loose).data

    assert easysteer_wire.matches(data)
    assert not easysteer_request.matches(data)
    assert same_bits(easysteer_wire.read(data), loose)


@given(loose_vectors())
def test_request_read_of_export_gives_it_back_bit_for_bit(loose: LooseVector) -> None:
    data = easysteer_request.export(loose).data
    again = easysteer_request.read(data)

    assert easysteer_request.matches(data)
    assert not easysteer_wire.matches(data)
    assert same_bits(again, loose)
    assert (again.operation, again.multiplier, again.warnings) == ("add", loose.multiplier, ())


def test_gguf_read_shows_true_blocks_and_what_llama_cpp_makes_of_them(tmp_path: Path) -> None:
    data = easysteer_file(tmp_path / "a.gguf", normalize=1.0, token_pos=-1.0)

    vector = easysteer_gguf.read(data)
    for_llama = llama_cpp.export(vector)

    assert easysteer_gguf.matches(data)
    assert not llama_cpp.matches(data)
    assert (vector.blocks("resid_post"), vector.model) == ((0, 1, 2), "qwen")
    assert vector.notes["controlvector.token_pos"] == "-1.0"
    assert "llama.cpp rejects the file" in vector.warnings[0]
    assert "block 0 was left out" in for_llama.warnings[0]
    assert list(read_gguf(for_llama.data).tensors) == ["direction.1", "direction.2"]


def test_gguf_export_names_the_method_and_the_component() -> None:
    exported = easysteer_gguf.export(loose_vector(blocks=(0, 2), operation="project", multiplier=0.5))
    file = read_gguf(exported.data)

    assert list(file.tensors) == ["direction.0", "direction.2"]
    assert file.text("controlvector.method") == "unknown"
    native = json.loads(file.text("controlvector.easysteer"))
    assert (native["version"], native["component"]) == (1, "hidden_states")
    assert "erase" in exported.usage
    assert "takes the whole component away, not 0.5" in exported.warnings[0]
    assert "direction.0" in exported.warnings[1]


@pytest.mark.parametrize(
    ("native", "code"),
    [
        ('{"version":1,"component":"attention_heads","metadata":{}}', "engine.component"),
        ('{"version":1,"component":"router_logits","metadata":{}}', "engine.component"),
        ('{"version":2}', "engine.metadata"),
        ("[]", "engine.metadata"),
        ("{", "engine.metadata"),
    ],
)
def test_gguf_read_of_another_component_is_refused(tmp_path: Path, native: str, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        easysteer_gguf.read(easysteer_file(tmp_path / "a.gguf", easysteer=native))

    assert caught.value.code == code


@pytest.mark.parametrize("metadata", ['{"mapping":[["bearing_operation",{}],[],3]}', '{"mapping":3}', "7"])
def test_gguf_read_of_odd_metadata_is_taken_as_addition(tmp_path: Path, metadata: str) -> None:
    native = f'{{"version":1,"component":null,"metadata":{metadata}}}'

    assert easysteer_gguf.read(easysteer_file(tmp_path / "a.gguf", easysteer=native)).operation == "add"


@pytest.mark.parametrize("module", [easysteer_gguf, easysteer_wire, easysteer_request])
@pytest.mark.parametrize(
    ("loose", "code"),
    [
        (loose_vector(operation="clamp"), "engine.operation"),
        (loose_vector("mlp_out"), "engine.site"),
        (loose_vector("resid_post@3"), "engine.site"),
    ],
)
def test_export_of_what_easysteer_cannot_do_is_refused(
    module: ModuleType, loose: LooseVector, code: str
) -> None:
    with pytest.raises(FormatError) as caught:
        module.export(loose)

    assert caught.value.code == code


def test_wire_payload_is_what_easysteer_itself_writes() -> None:
    data = json.dumps(THEIRS).encode()

    vector = easysteer_wire.read(data)

    assert vector.blocks("resid_post") == (0, 2, 10)
    assert vector.at("resid_post", 10).tolist() == [-0.5, 3.0]
    assert json.loads(easysteer_wire.export(vector).data) == THEIRS


def test_wire_export_of_projection_is_refused_since_a_payload_cannot_say_it() -> None:
    with pytest.raises(FormatError, match="easysteer-request"):
        easysteer_wire.export(loose_vector(operation="project"))


def changed(change: Callable[[dict[str, Any]], Any]) -> bytes:
    fields = json.loads(json.dumps(THEIRS))
    change(fields)
    return json.dumps(fields).encode()


def entry(**fields: object) -> bytes:
    return changed(lambda payload: payload["tensors"]["layer.0"].update(fields))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (changed(lambda p: p.update(version=2)), "engine.payload"),
        (changed(lambda p: p.update(kind="reft")), "engine.payload"),
        (changed(lambda p: p.update(extra={"layer": 1})), "engine.payload"),
        (changed(lambda p: p.pop("extra")), "engine.payload"),
        (changed(lambda p: p.update(more=1)), "engine.payload"),
        (changed(lambda p: p.update(tensors={})), "engine.payload"),
        (changed(lambda p: p["tensors"].update({"layer.-1": p["tensors"]["layer.0"]})), "engine.payload"),
        (changed(lambda p: p["tensors"].update({"layer.02": p["tensors"]["layer.0"]})), "engine.payload"),
        (changed(lambda p: p["tensors"].pop("layer.2")), "engine.digest"),
        (changed(lambda p: p.update(sha256="0" * 64)), "engine.digest"),
        (changed(lambda p: p.update(sha256=None)), "engine.digest"),
        (entry(data="AACAPwAAAEE="), "engine.digest"),
        (entry(data="AACAPwAAAEA"), "engine.payload"),
        (entry(data="*" * 12), "engine.payload"),
        (entry(data="é"), "engine.payload"),
        (entry(data=3), "engine.payload"),
        (entry(shape=[3]), "engine.payload"),
        (entry(shape=[True]), "engine.payload"),
        (entry(shape=[-2]), "engine.payload"),
        (entry(shape=[1, 2]), "engine.payload"),
        (entry(shape="2"), "engine.payload"),
        (entry(more=1), "engine.payload"),
        (b"[]", "engine.payload"),
        (b"{", "format.not_json"),
        (b"\xff", "format.not_json"),
        (b" " * (2**26 + 1), "engine.too_large"),
    ],
)
def test_wire_read_of_broken_payload_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        easysteer_wire.read(data)

    assert caught.value.code == code


def test_wire_read_of_infinity_is_refused() -> None:
    infinite = loose_vector(blocks=(1,)).directions
    rows = {"layer.1": np.full(6, np.inf, dtype=np.float32)}
    payload = easysteer_wire.payload(LooseVector(source="test", directions=infinite))
    payload["tensors"]["layer.1"]["data"] = base64.b64encode(rows["layer.1"].tobytes()).decode()
    payload["sha256"] = easysteer_wire._digest(rows)

    with pytest.raises(FormatError) as caught:
        easysteer_wire.read(json.dumps(payload).encode())

    assert caught.value.code == "format.not_finite"


def request(**fields: object) -> bytes:
    """A good request with other fields for its vector."""
    spec = json.loads(easysteer_request.export(loose_vector(blocks=(0, 1, 5), multiplier=2.5)).data)
    spec["vectors"][0].update(fields)
    return json.dumps(spec).encode()


def test_request_export_is_a_spec_of_the_server() -> None:
    vector = json.loads(request())["vectors"][0]

    assert {key: vector[key] for key in ("algorithm", "scale", "layers", "normalize", "apply")} == {
        "algorithm": "direct",
        "scale": 2.5,
        "layers": [0, 1, 5],
        "normalize": False,
        "apply": {"prompt": "all", "generation": "all"},
    }
    assert set(vector["data"]) == set(THEIRS)


def test_request_of_whole_projection_is_erase_and_of_a_share_is_refused() -> None:
    whole = loose_vector(operation="project")

    again = easysteer_request.read(easysteer_request.export(whole).data)

    assert (again.operation, again.multiplier) == ("project", 1.0)
    assert same_bits(again, whole)
    with pytest.raises(FormatError) as caught:
        easysteer_request.export(loose_vector(operation="project", multiplier=0.5))
    assert caught.value.code == "engine.multiplier"


def test_request_read_takes_only_the_layers_that_are_applied() -> None:
    assert easysteer_request.read(request(layers=[1, 5, 9])).blocks("resid_post") == (1, 5)
    assert easysteer_request.read(request(layers=None)).blocks("resid_post") == (0, 1, 5)


def test_request_read_of_some_positions_warns() -> None:
    assert "only some positions" in easysteer_request.read(request(apply={"generation": "all"})).warnings[0]
    bare = {"prompt": "all", "generation": "all", "prompt_tokens": None}
    assert easysteer_request.read(request(apply=bare)).warnings == ()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (request(algorithm="replace"), "engine.operation"),
        (request(algorithm=[]), "engine.operation"),
        (request(normalize=True), "engine.operation"),
        (request(params={"mode": "soft"}), "engine.operation"),
        (request(data=None, source="a.gguf"), "engine.request"),
        (request(scale="2"), "engine.multiplier"),
        (request(scale=True), "engine.multiplier"),
        (request(layers=[-1]), "engine.request"),
        (request(layers="1"), "engine.request"),
        (request(layers=[7]), "format.no_tensors"),
        (request(more=1), "engine.request"),
        (request(data={}), "engine.payload"),
        (b'{"vectors": []}', "engine.request"),
        (b'{"vectors": [1]}', "engine.request"),
        (b'{"vectors": [{}, {}]}', "engine.request"),
        (b"[]", "engine.request"),
    ],
)
def test_request_read_of_what_cannot_be_meant_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        easysteer_request.read(data)

    assert caught.value.code == code


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_request_read_of_any_value_in_a_field_raises_only_format_error(value: object) -> None:
    spec = json.loads(request())
    for field in ("data", "algorithm", "scale", "layers", "normalize", "apply", "params", "name"):
        changed_spec = {"vectors": [{**spec["vectors"][0], field: value}]}
        try:
            easysteer_request.read(json.dumps(changed_spec).encode())
        except FormatError:
            continue
