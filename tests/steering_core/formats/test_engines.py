import json
import pickle  # noqa: TID251
import random
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import steering_core
from steering_core.errors import FormatError
from steering_core.formats.bearing import write_vector
from steering_core.formats.codes import ENGINE_ERROR_CODES, FORMAT_ERROR_CODES
from steering_core.formats.engines import ENGINES, Engine, identify, read_any, refusals
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.formats.loose import LooseVector, loosen
from steering_core.spec import OPERATIONS, SITES, parse_site
from tests.hostile_files.gguf import CASES as GGUF_CASES
from tests.hostile_files.vectors import CASES as VECTOR_CASES
from tests.hostile_files.vectors import good_vector
from tests.loose_vectors import loose_vector, loose_vectors, same_bits, unit_vector

ROOT = Path(steering_core.__file__).parent
PAGE = (ROOT.parent / "docs" / "engines.md").read_text("utf-8")
READ = [name for name, engine in ENGINES.items() if engine.read is not None]
CODES = {*ENGINE_ERROR_CODES, *FORMAT_ERROR_CODES}


def vector_that(engine: Engine, site: str, operation: str) -> LooseVector:
    """A vector of norm 1 that has all that an engine may need: a model of 4 blocks, and set points."""
    make = unit_vector if operation == "project" else loose_vector
    rows = make(site, blocks=(1, 2)).directions
    native = good_vector(6)
    native = type(native)(
        model=native.model,
        directions=rows,
        residual_norms=dict.fromkeys(rows, 4.0),
        operation=operation,
        set_points=dict.fromkeys(rows, (-1.0, 2.0)),
        provenance=native.provenance,
    )
    return loosen(native)


def torch_file(value: object) -> bytes:
    buffer = BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def npy(value: object) -> bytes:
    buffer = BytesIO()
    np.save(buffer, value, allow_pickle=True)
    return buffer.getvalue()


class Runs:
    """Whose pickle runs code when it is opened."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was run')",)


# Files 129-131 and 136-138 of the bad-input list (132-135 are in hostile_files/gguf), and their like.
HOSTILE = {
    "129-pickle-as-safetensors": (pickle.dumps(Runs(), protocol=4), "a.safetensors", "pickle"),
    "pickle-protocol-0": (pickle.dumps(Runs(), protocol=0), "a.pkl", "pickle"),
    "130-torch-zip": (torch_file({"a": torch.zeros(3)}), "a.pt", "zip archive"),
    "torch-zip-as-gguf": (torch_file(torch.zeros(3)), "a.gguf", "zip archive"),
    "torch-zip-without-a-name": (torch_file(torch.zeros(3)), "", "zip archive"),
    "empty-zip": (b"PK\x05\x06" + bytes(18), "a.npz", "zip archive"),
    "131-npy-allow-pickle": (npy(np.array([Runs()], dtype=object)), "a.npy", "NumPy array"),
    "136-onnx": (b"\x08\x07\x12\x07pytorch\x1a\x052.4.0:\x10", "a.onnx", "protocol buffer"),
    "onnx-by-name": (b"\x0a\x01\xff\xff", "a.onnx", "ONNX"),
    "137-hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "a.h5", "HDF5"),
    "138-svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", "HTML or XML"),
    "138-png": (b"\x89PNG\r\n\x1a\n" + bytes(64), "a.gguf", "an image"),
    "gzip": (b"\x1f\x8b\x08\x00", "a.gguf", "gzip"),
    "zstd": (b"\x28\xb5\x2f\xfd\x20", "a.json", "zstd"),
    "parquet": (b"PAR1\xff\xff\xff\xffPAR1", "a.parquet", "Parquet"),
}
UNKNOWN = {
    "empty": b"",
    "object": b"{}",
    "list": b"[]",
    "another-json": b'{"weights": [1, 2]}',
    "text": b"hello",
    "bare-floats-without-a-name": np.zeros(8, "<f4").tobytes(),
    "deep-json": b"[" * 100_000,
}


@pytest.mark.parametrize(("data", "name", "what"), HOSTILE.values(), ids=HOSTILE)
def test_read_any_of_a_form_that_is_not_read_names_it(data: bytes, name: str, what: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_any(data, name)

    assert caught.value.code == "engine.not_read"
    assert what in caught.value.message
    assert ("run code" in caught.value.message) == (what in ("pickle", "zip archive"))
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("data", UNKNOWN.values(), ids=UNKNOWN)
def test_read_any_of_anything_else_lists_what_is_read(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        read_any(data)

    assert caught.value.code == "engine.unknown"
    assert all(name in caught.value.message for name in READ)


@pytest.mark.parametrize("case", GGUF_CASES, ids=lambda case: case.name)
def test_read_any_of_hostile_gguf_is_refused_with_a_known_code(case: object) -> None:
    with pytest.raises(FormatError) as caught:
        read_any(case.build(), "a.gguf")  # type: ignore[attr-defined]

    assert caught.value.code in CODES


@pytest.mark.parametrize("case", VECTOR_CASES, ids=lambda case: case.name)
def test_read_any_of_hostile_safetensors_is_refused_with_a_known_code(case: object) -> None:
    with pytest.raises(FormatError) as caught:
        read_any(case.build(), "a.safetensors")  # type: ignore[attr-defined]

    assert caught.value.code in CODES


def test_read_any_of_more_than_64_mib_is_refused() -> None:
    with pytest.raises(FormatError) as caught:
        read_any(bytes(MAX_FILE_BYTES + 1), "a.f32")

    assert caught.value.code == "engine.too_large"


def test_read_any_of_a_torn_native_file_says_so() -> None:
    with pytest.raises(FormatError) as caught:
        read_any(write_vector(good_vector())[:40], "a.safetensors")

    assert caught.value.code == "format.header_past_end"


@pytest.mark.parametrize("name", [name for name in READ if name not in ("llama.cpp", "ds4")])
def test_read_any_finds_out_what_an_export_is_without_its_name(name: str) -> None:
    engine = ENGINES[name]
    loose = vector_that(engine, "resid_post", "add")

    found, again = read_any(engine.export(loose).data)

    assert found is engine
    assert same_bits(again, loose)


def test_read_any_of_our_llama_cpp_file_is_glp_which_it_also_is() -> None:
    found, again = read_any(ENGINES["llama.cpp"].export(loose_vector()).data)

    assert found.name == "glp"
    assert same_bits(again, loose_vector())


@pytest.mark.parametrize("name", ["verbosity.f32", "verbosity.bin"])
def test_read_any_takes_bare_floats_with_their_sidecar(name: str) -> None:
    loose = vector_that(ENGINES["ds4"], "mlp_out", "project")
    exported = ENGINES["ds4"].export(loose)

    found, again = read_any(exported.data, name, exported.sidecars[".json"])

    assert found.name == "ds4"
    assert same_bits(again, loose)
    assert identify(exported.data, "a.F32").name == "ds4"


@given(loose_vectors(first_block=1), st.sampled_from(READ), st.sampled_from(READ))
def test_a_chain_of_two_engines_keeps_every_bit(loose: LooseVector, first: str, second: str) -> None:
    for name in (first, second):
        refusal = refused_by(partial(ENGINES[name].export, loose))
        if refusal is not None:
            assert refusal.code in CODES
            return
        exported = ENGINES[name].export(loose)
        again = read_any(exported.data)[1]
        if len(again.directions) < len(loose.directions):
            assert exported.warnings
            return
        assert same_bits(again, loose)
        loose = again


def seeds() -> list[tuple[bytes, bytes | None]]:
    """One good file of each form that is read."""
    found: list[tuple[bytes, bytes | None]] = []
    for name in READ:
        site, operation = ("mlp_out", "project") if name == "ds4" else ("resid_post", "add")
        exported = ENGINES[name].export(vector_that(ENGINES[name], site, operation))
        found.append((exported.data, exported.sidecars.get(".json")))
    return found


SEEDS = seeds()


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_read_any_of_a_changed_file_is_refused_or_read(
    seed: tuple[bytes, bytes | None], draw: st.DataObject
) -> None:
    data, sidecar = bytearray(seed[0]), bytearray(seed[1] or b"")
    for _ in range(draw.draw(st.integers(1, 4))):
        target = sidecar if sidecar and draw.draw(st.booleans()) else data
        at = draw.draw(st.integers(0, len(target)))
        length = draw.draw(st.sampled_from([0, 1, 2, 8, 64]))
        target[at : at + length] = draw.draw(
            st.binary(max_size=8)
            | st.sampled_from([b"null", b"[", b'"', b"-1", b"1e999", b"{}", b"\xff\xfe"])
        )

    check_answer(bytes(data), "a", bytes(sidecar) or None)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0, 2**32))
def test_read_any_of_changed_json_values_is_refused_or_read(
    seed: tuple[bytes, bytes | None], number: int
) -> None:
    """Values of other types at any depth, so that the checks behind the parser are reached."""
    data = seed[0]
    if not data.startswith((b"{", b"[")):
        return
    value = json.loads(data)
    drawn = random.Random(number)
    for _ in range(drawn.randint(1, 3)):
        value = replaced(value, drawn)

    check_answer(json.dumps(value).encode(), "a.json", None)


@given(st.binary(max_size=300), st.sampled_from(["", "a.gguf", "a.f32", "a.json", "a.safetensors", "a.pt"]))
def test_read_any_of_any_bytes_is_refused_or_read(data: bytes, name: str) -> None:
    check_answer(data, name, None)


def check_answer(data: bytes, name: str, sidecar: bytes | None) -> None:
    """A vector, or a refusal with a code that is documented, and no other error."""
    refusal = refused_by(lambda: read_any(data, name, sidecar))
    assert refusal is None or (refusal.code in CODES and len(refusal.message) < 600)


def refused_by(call: Callable[[], object]) -> FormatError | None:
    """What a call is refused with, if it is."""
    try:
        call()
    except FormatError as error:
        return error
    return None


def replaced(value: object, drawn: random.Random) -> object:
    """The value with something else in it somewhere."""
    if drawn.random() < 0.15 or not isinstance(value, dict | list) or not value:
        return drawn.choice(
            [None, True, 0, -1, 2**31, 10**39, 0.5, 1e308, "", "é", "add", "1", [], [[1.0]], {}, {"a": 1}]
        )
    if isinstance(value, list):
        at = drawn.randrange(len(value))
        return [*value[:at], replaced(value[at], drawn), *value[at + 1 :]]
    key = drawn.choice(list(value))
    if drawn.random() < 0.1:
        return {name: inner for name, inner in value.items() if name != key}
    return {**value, key: replaced(value[key], drawn)}


# --- the table ---


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("site", [*SITES, "resid_post@1"])
def test_table_says_which_sites_and_operations_are_written(name: str, operation: str, site: str) -> None:
    engine = ENGINES[name]
    kind = "resid_post@k" if parse_site(site)[1] is not None else site

    refusal = refusals(vector_that(engine, site, operation))[name]

    assert (refusal is None) == (kind in engine.sites and operation in engine.operations)
    assert refusal is None or refusal.code in ("engine.site", "engine.operation")


def test_table_suffixes_and_readers_fit() -> None:
    for engine in ENGINES.values():
        assert engine.suffix.startswith(".")
        assert (engine.matches is None) == (engine.read is None)
        assert engine.is_read == (engine.read is not None)
    assert not any(ENGINES[name].is_read for name in ("lm-eval", "persona"))


def test_engines_page_table_is_the_table_of_the_code() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if re.match(r"\| `[a-z0-9.-]+` \|", line)
    ]

    assert rows[: len(ENGINES)] == [
        [
            f"`{engine.name}`",
            f"`{engine.suffix}`",
            "in, out" if engine.is_read else "out",
            ", ".join(engine.sites),
            ", ".join(engine.operations),
            engine.index,
            engine.sign,
            engine.scale,
        ]
        for engine in ENGINES.values()
    ]


def test_engines_page_has_a_section_for_each_engine() -> None:
    named = re.findall(r"`([a-z0-9.-]+)`", "\n".join(re.findall(r"^### .*$", PAGE, re.MULTILINE)))

    assert named == list(ENGINES)


def test_engines_page_codes_are_those_of_the_code() -> None:
    documented = re.findall(r"^\| `(engine\.\w+)` \|", PAGE, re.MULTILINE)

    assert tuple(documented) == ENGINE_ERROR_CODES


def test_engine_codes_are_all_used_and_no_other_is() -> None:
    text = "\n".join(source.read_text("utf-8") for source in (ROOT / "formats").glob("*.py"))
    raised = {f"engine.{code}" for code in re.findall(r'(?<!_)refused\(\s*"(\w+)"', text)}

    assert raised == set(ENGINE_ERROR_CODES)


def test_engines_load_no_torch() -> None:
    code = (
        "import sys, steering_core.formats.engines\nassert not {'torch', 'transformers'} & sys.modules.keys()"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
