"""docs/format.md is a contract: its examples and its table of codes are held against the code."""

import json
import re
from pathlib import Path

import steering_core
from steering_core.formats.bearing import write_vector
from steering_core.formats.codes import FORMAT_ERROR_CODES
from tests.hostile_files.vectors import good_vector, split_file

ROOT = Path(steering_core.__file__).parent
PAGE = (ROOT.parent / "docs" / "format.md").read_text("utf-8")


def test_format_page_codes_are_those_of_the_code() -> None:
    documented = re.findall(r"^\| `(format\.\w+)` \|", PAGE, re.MULTILINE)

    assert tuple(documented) == FORMAT_ERROR_CODES


def test_format_codes_are_all_used_and_no_other_is() -> None:
    sources = [ROOT / "spec.py", ROOT / "vector.py", *(ROOT / "formats").glob("[!c]*.py")]
    text = "\n".join(source.read_text("utf-8") for source in sources)
    named = set(re.findall(r'"format\.(\w+)"', text)) | set(re.findall(r'_refused\(\s*"(\w+)"', text))

    assert {f"format.{name}" for name in named} == set(FORMAT_ERROR_CODES)


def test_format_page_example_is_a_real_file() -> None:
    header, manifest = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    fields, _ = split_file(write_vector(good_vector()))
    real = json.loads(fields["__metadata__"].pop("manifest"))
    header["__metadata__"].pop("manifest")

    assert header == fields
    assert manifest == real
    assert list(manifest) == list(real)
