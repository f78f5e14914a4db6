"""JSONL: one object per line, in the house form or as preference pairs."""

from collections.abc import Mapping
from typing import Any

from steering_core.errors import FormatError, PairsError
from steering_core.pairs.limits import Limits
from steering_core.pairs.pair import PairFile
from steering_core.pairs.rows import (
    HOUSE,
    PREFERENCE,
    check_row_count,
    pair_from_row,
    row_shape,
)
from steering_core.spec import parse_json

_NAMES = {HOUSE: "jsonl", PREFERENCE: "preference_jsonl"}


def read_json_lines(body: bytes, limits: Limits) -> PairFile:
    """Every line is a pair of the same form as the first.

    Raises:
        PairsError: a line is not JSON, not an object, or not a usable pair.
    """
    check_row_count(body.count(b"\n") + 1, limits)
    lines = body.split(b"\n")
    shape = row_shape(_object(lines[0], 1, limits), 1, HOUSE, PREFERENCE)
    pairs = (
        pair_from_row(_object(line, row, limits), shape, row, limits)
        for row, line in enumerate(lines, start=1)
    )
    return PairFile(_NAMES[shape], tuple(pairs))


def _object(line: bytes, row: int, limits: Limits) -> Mapping[str, Any]:
    if len(line) > limits.max_line_bytes:
        raise PairsError(
            f"the line has {len(line):,} bytes; at most {limits.max_line_bytes:,} are read",
            code="dataset.line_too_long",
            row=row,
        )
    if not line.strip():
        raise PairsError("the line is blank; take it out", code="dataset.blank_row", row=row)
    value = parse_row(line.decode("utf-8"), row)
    if not isinstance(value, dict):
        raise PairsError(
            "the line is JSON but no object; expected {…}",
            code="dataset.not_object",
            row=row,
        )
    return value


def parse_row(text: str, row: int | None) -> Any:
    """Strict JSON; what spec refuses becomes a refusal of the dataset.

    Raises:
        PairsError: `dataset.not_json`, `dataset.duplicate_key` or `dataset.too_deep`.
    """
    try:
        return parse_json(text)
    except FormatError as error:
        code = "dataset." + error.code.removeprefix("format.")
        hint = "; strings stand in double quotes, without comments or a comma after the last value"
        message = error.message + (hint if code == "dataset.not_json" else "")
        raise PairsError(message, code=code, row=row) from error
