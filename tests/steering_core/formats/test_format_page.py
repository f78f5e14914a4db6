"""docs/format.md is a contract: its examples and its table of codes are held against the code."""

import json
import re
from pathlib import Path

import steering_core
from steering_core.formats.bearing import write_vector
from steering_core.formats.codes import FORMAT_ERROR_CODES
from steering_core.formats.header import MAX_DIMENSION, MAX_FILE_BYTES, MAX_HEADER_BYTES
from steering_core.formats.manifest import (
    _HIDDEN,
    MAX_DOSES,
    MAX_LAYERS,
    MAX_NATS,
    MAX_SET_POINT,
    MAX_STRENGTH,
    MAX_TEXT,
    RESIDUAL_NORM_RANGE,
)
from tests.hostile_files.vectors import good_vector, split_file

ROOT = Path(steering_core.__file__).parent
PAGE = (ROOT.parent / "docs" / "format.md").read_text("utf-8")


def test_format_page_codes_are_those_of_the_code() -> None:
    documented = re.findall(r"^\| `(format\.\w+)` \|", PAGE, re.MULTILINE)

    assert tuple(documented) == FORMAT_ERROR_CODES


def test_format_codes_are_all_used_and_no_other_is() -> None:
    sources = ("spec", "vector", "formats/header", "formats/manifest", "formats/bearing")
    text = "\n".join((ROOT / f"{source}.py").read_text("utf-8") for source in sources)
    named = set(re.findall(r'"(format\.\w+)"', text))
    named |= {f"format.{name}" for name in re.findall(r'_refused\(\s*"(\w+)"', text)}

    assert named == set(FORMAT_ERROR_CODES)


def test_format_codes_of_other_forms_are_documented_too() -> None:
    text = "\n".join(source.read_text("utf-8") for source in (ROOT / "formats").glob("*.py"))

    assert set(re.findall(r'"(format\.\w+)"', text)) <= set(FORMAT_ERROR_CODES)


def test_format_page_limits_are_those_of_the_code() -> None:
    """The numbers of the table of fields, as the page writes them."""
    low, high = RESIDUAL_NORM_RANGE

    for said in (
        f"decimal number, {low:.0e} to {high:.0e}".replace("e-09", "e-9").replace("e+09", "e9"),
        f"within ±{MAX_SET_POINT:.0e}".replace("e+09", "e9"),
        f"within ±{MAX_STRENGTH:.0f}, lowest first",
        f"at most {MAX_DOSES} `[strength, nats]`",
        f"nats from 0 to {MAX_NATS:.0e}".replace("e+06", "e6"),
        f"text, 1–{MAX_TEXT} characters",
        f"text, at most {MAX_TEXT} characters",
        f"integer, 1–{MAX_LAYERS:,}",
        f"integer, 1–{MAX_DIMENSION:,}",
        f"| file | {MAX_FILE_BYTES // 2**20} MiB |",
        f"| header | {MAX_HEADER_BYTES // 2**10} KiB |",
    ):
        assert said in PAGE


def test_format_page_example_is_a_real_file() -> None:
    header, manifest = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    fields, _ = split_file(write_vector(good_vector()))
    real = json.loads(fields["__metadata__"].pop("manifest"))
    header["__metadata__"].pop("manifest")

    assert header == fields
    assert manifest == real
    assert list(manifest) == list(real)


def test_format_page_hidden_characters_are_those_of_the_code() -> None:
    said = re.search(r"which are U\+(.*?), whatever", PAGE, re.DOTALL)
    assert said
    ranges = [
        part.strip().split("–") for part in said[1].replace(" and ", ", ").replace("\n", " ").split(",")
    ]
    hidden = {c for ends in ranges for c in range(int(ends[0], 16), int(ends[-1], 16) + 1)}

    assert {c for c in range(0x110000) if _HIDDEN.search(chr(c))} == hidden
