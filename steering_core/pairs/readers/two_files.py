"""Two text files of equal length: line n of the one against line n of the other, without prompts.

Source: the verbosity example of DwarfStar 4 (antirez/ds4) keeps its pairs so.
"""

from steering_core.errors import PairsError
from steering_core.pairs.decode import checked_bytes
from steering_core.pairs.limits import DEFAULT_LIMITS, Limits
from steering_core.pairs.pair import ContrastivePair, PairFile
from steering_core.pairs.rows import check_row_count
from steering_core.pairs.text import checked_text


def read_two_files(positive: bytes, negative: bytes, *, limits: Limits = DEFAULT_LIMITS) -> PairFile:
    """Promptless pairs: each line is a whole user turn.

    Raises:
        PairsError: the files differ in length, or a line is not a usable text.
    """
    shown, hidden = _lines(positive, limits), _lines(negative, limits)
    if len(shown) != len(hidden):
        raise PairsError(
            f"the positive file has {len(shown):,} lines, the negative one {len(hidden):,}; line n of the "
            "one is paired with line n of the other, so they must be equally long",
            code="dataset.line_count",
        )
    pairs = (
        ContrastivePair(_text(left, "positive", row, limits), _text(right, "negative", row, limits))
        for row, (left, right) in enumerate(zip(shown, hidden, strict=True), start=1)
    )
    return PairFile("two_files", tuple(pairs))


def _lines(data: bytes, limits: Limits) -> list[bytes]:
    body = checked_bytes(data, "", limits)
    check_row_count(body.count(b"\n") + 1, limits)
    return body.split(b"\n")


def _text(line: bytes, field: str, row: int, limits: Limits) -> str:
    text = line.removesuffix(b"\r").decode("utf-8")
    if not text.strip():
        raise PairsError(
            f"the {field} line is blank; take both lines out",
            code="dataset.blank_row",
            row=row,
        )
    return checked_text(text, field, row, limits, required=True)
