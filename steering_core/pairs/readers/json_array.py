"""CAA's A/B questions: one JSON array of {question, answer_matching_behavior, answer_not_matching_behavior}.

Source: Rimsky et al. 2023, arXiv 2312.06681, nrimsky/CAA `datasets/`.
"""

from steering_core.errors import PairsError
from steering_core.pairs.limits import Limits
from steering_core.pairs.pair import PairFile
from steering_core.pairs.readers.json_lines import parse_row
from steering_core.pairs.rows import (
    CAA,
    HOUSE,
    PREFERENCE,
    check_row_count,
    pair_from_row,
    row_shape,
)


def read_json_array(body: bytes, limits: Limits) -> PairFile:
    """The question is the prompt, the answers are the texts.

    Raises:
        PairsError: the array is too large, holds other objects, or a question is not a usable pair.
    """
    if len(body) > limits.max_array_bytes:
        raise PairsError(
            f"a JSON array of {len(body):,} bytes is read as a whole, up to {limits.max_array_bytes:,}; "
            "send JSONL, one object per line",
            code="dataset.too_large",
        )
    rows = parse_row(body.decode("utf-8"), None)
    if not rows:
        raise PairsError("the JSON array is empty; send at least one pair", code="dataset.empty")
    check_row_count(len(rows), limits)
    pairs = (
        pair_from_row(_question(value, row), CAA, row, limits) for row, value in enumerate(rows, start=1)
    )
    return PairFile("caa", tuple(pairs))


def _question(value: object, row: int) -> dict[str, object]:
    if not isinstance(value, dict):
        raise PairsError("expected an object {…}", code="dataset.not_object", row=row)
    if row_shape(value, row, CAA, HOUSE, PREFERENCE) is not CAA:
        raise PairsError(
            "pairs in one JSON array are read only as CAA questions; write one object per line, without "
            "the square brackets and the commas between them",
            code="dataset.json_array",
        )
    return value
