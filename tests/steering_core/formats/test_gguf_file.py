import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from steering_core.errors import FormatError
from steering_core.formats import gguf_file
from steering_core.formats.codes import ENGINE_ERROR_CODES
from steering_core.formats.gguf_file import Field, GgufFile, read_gguf, says, write_gguf
from tests.hostile_files.gguf import CASES, F32, STRING, U32, GgufCase, field, gguf, tensor, text
from tests.loose_vectors import EXTREMES, FINITE

MODULES = (
    "gguf_file",
    "control_vector",
    "llama_cpp",
    "glp",
    "easysteer_gguf",
    "easysteer_wire",
    "easysteer_request",
    "ds4",
)
KEYS = st.text("abcdefg.019_", min_size=1, max_size=12).filter(lambda key: key != "general.alignment")
INTEGERS = {
    GGUFValueType.UINT8: (0, 2**8 - 1),
    GGUFValueType.INT16: (-(2**15), 2**15 - 1),
    GGUFValueType.UINT32: (0, 2**32 - 1),
    GGUFValueType.INT64: (-(2**63), 2**63 - 1),
}
FIELDS = st.one_of(
    *(st.builds(Field, st.just(kind), st.integers(*bounds)) for kind, bounds in INTEGERS.items()),
    st.builds(Field, st.just(GGUFValueType.FLOAT32), FINITE),
    st.builds(Field, st.just(GGUFValueType.FLOAT64), st.floats(allow_nan=False)),
    st.builds(Field, st.just(GGUFValueType.BOOL), st.booleans()),
    st.builds(Field, st.just(GGUFValueType.STRING), st.text(max_size=30)),
)
TENSORS = st.dictionaries(
    KEYS, stn.arrays(np.float32, st.integers(1, 40), elements=FINITE | EXTREMES), min_size=1, max_size=4
)


def read_by_gguf(data: bytes) -> GgufFile:
    """What the reader of llama.cpp's authors sees."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file.gguf"
        path.write_bytes(data)
        reader = GGUFReader(path)
        fields = {
            key: Field(found.types[-1], found.contents())
            for key, found in reader.fields.items()
            if not key.startswith("GGUF.")
        }
        return GgufFile(fields, {found.name: found.data.copy() for found in reader.tensors})


def check_equal(ours: GgufFile, theirs: GgufFile) -> None:
    assert {key: found.type for key, found in ours.fields.items()} == {
        key: found.type for key, found in theirs.fields.items()
    }
    np.testing.assert_equal(
        {key: found.value for key, found in ours.fields.items()},
        {key: found.value for key, found in theirs.fields.items()},
    )
    assert list(ours.tensors) == list(theirs.tensors)
    for name, values in ours.tensors.items():
        assert values.shape == theirs.tensors[name].shape
        assert values.tobytes() == theirs.tensors[name].tobytes()


@given(st.dictionaries(KEYS, FIELDS, max_size=6), TENSORS)
def test_read_gguf_of_written_file_equals_what_the_gguf_package_reads(
    fields: dict[str, Field], tensors: dict[str, np.ndarray]
) -> None:
    data = write_gguf("controlvector", fields, tensors)
    ours = read_gguf(data)

    check_equal(ours, read_by_gguf(data))
    assert ours.fields.items() >= fields.items()
    assert {name: row.tobytes() for name, row in ours.tensors.items()} == {
        name: row.tobytes() for name, row in tensors.items()
    }
    assert write_gguf("controlvector", fields, tensors) == data


def test_read_gguf_of_other_layouts_equals_what_the_gguf_package_reads(tmp_path: Path) -> None:
    path = tmp_path / "file.gguf"
    writer = GGUFWriter(path, "controlvector")
    writer.add_custom_alignment(64)
    writer.add_array("a.numbers", [1, 2, 3])
    writer.add_array("a.texts", ["one", "zwei", ""])
    writer.add_tensor("half", np.arange(6, dtype=np.float16).reshape(2, 3))
    writer.add_tensor("double", np.linspace(0, 1, 5))
    writer.add_tensor("single", np.ones((2, 2, 2), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    ours = read_gguf(path.read_bytes())

    check_equal(ours, read_by_gguf(path.read_bytes()))
    assert ours.fields["a.texts"] == (GGUFValueType.STRING, ["one", "zwei", ""])
    assert ours.tensors["half"].shape == (2, 3)


def test_read_gguf_version_2_and_unpadded_end_are_read() -> None:
    data = gguf(version=2, tensors=[tensor(shape=[3])], data=np.float32([1, 2, 3]).tobytes())

    assert read_gguf(data).tensors["direction.1"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_read_gguf_hostile_file_is_refused_with_its_code(case: GgufCase) -> None:
    data = case.build()
    started = time.perf_counter()

    with pytest.raises(FormatError) as caught:
        read_gguf(data)

    assert time.perf_counter() - started < 2
    assert caught.value.code == case.code
    assert caught.value.code in ENGINE_ERROR_CODES
    assert len(caught.value.message) < 400


def test_hostile_files_are_built_around_a_good_one() -> None:
    assert list(read_gguf(gguf()).tensors) == ["direction.1"]


@settings(max_examples=400)
@given(st.data())
def test_read_gguf_of_changed_file_is_refused_or_read_as_the_gguf_package_does(draw: st.DataObject) -> None:
    fields = [
        field(b"general.architecture", STRING, text(b"controlvector")),
        field(b"general.alignment", U32, (32).to_bytes(4, "little")),
        field(b"glp.alpha_default", F32, np.float32(0.5).tobytes()),
    ]
    data = bytearray(gguf(fields, [tensor(), tensor(b"direction.2", offset=32)], bytes(range(64))))
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(0, len(data) - 1))
        length = draw.draw(st.sampled_from([0, 1, 4, 8]))
        data[at : at + length] = draw.draw(st.binary(max_size=8))

    try:
        ours = read_gguf(bytes(data))
    except FormatError:
        return
    check_equal(ours, read_by_gguf(bytes(data)))


@given(st.binary(max_size=400))
def test_read_gguf_of_any_bytes_raises_only_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_gguf(b"GGUF\3\0\0\0" + data + b"\1")


def test_gguf_file_field_of_another_type_is_refused() -> None:
    file = read_gguf(gguf([field(b"a", STRING, text(b"x")), field(b"b", F32, np.float32(np.nan).tobytes())]))

    for ask in (lambda: file.number("a"), lambda: file.number("b"), lambda: file.text("b")):
        with pytest.raises(FormatError) as caught:
            ask()
        assert caught.value.code == "engine.gguf_field"
    assert file.integer("c") is None


def test_says_finds_a_key_and_not_a_text() -> None:
    data = gguf([field(b"glp.mode", STRING, text(b"dspark.mode and more"))])

    assert says(data, "glp.mode")
    assert not says(data, "dspark.mode")


def test_codes_that_the_modules_refuse_with_are_listed() -> None:
    sources = [Path(gguf_file.__file__).with_name(f"{name}.py").read_text("utf-8") for name in MODULES]
    raised = {code for source in sources for code in re.findall(r'refused\(\s*"(\w+)"', source)}
    of_a_container = ("gguf_", "glp_")

    assert {f"engine.{code}" for code in raised} <= set(ENGINE_ERROR_CODES)
    assert {
        code for code in ENGINE_ERROR_CODES if code.removeprefix("engine.").startswith(of_a_container)
    } == {f"engine.{code}" for code in raised if code.startswith(of_a_container)}


def test_formats_of_the_engines_load_no_torch() -> None:
    code = "import sys\n" + "\n".join(f"import steering_core.formats.{name}" for name in MODULES)
    code += "\nassert not {'torch', 'transformers'} & sys.modules.keys()"

    subprocess.run([sys.executable, "-c", code], check=True)
