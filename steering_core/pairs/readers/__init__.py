"""Datasets in every form that is read; the form is recognised from the content. Pairs go on to `checks`."""

from steering_core.errors import PairsError
from steering_core.pairs.decode import checked_bytes
from steering_core.pairs.limits import DEFAULT_LIMITS, Limits
from steering_core.pairs.pair import PairFile
from steering_core.pairs.readers.csv_table import looks_like_table, read_csv
from steering_core.pairs.readers.json_array import read_json_array
from steering_core.pairs.readers.json_lines import read_json_lines
from steering_core.pairs.readers.two_files import read_two_files

__all__ = ["FORMAT_LABELS", "PairFile", "read_pairs", "read_two_files"]

FORMAT_LABELS: dict[str, str] = {
    "jsonl": "JSONL, one pair per line",
    "csv": "CSV table of pairs",
    "caa": "CAA A/B questions (JSON)",
    "preference_jsonl": "preference pairs (JSONL)",
    "preference_csv": "preference pairs (CSV)",
    "two_files": "two text files, line by line",
}


def read_pairs(data: bytes, *, filename: str = "", limits: Limits = DEFAULT_LIMITS) -> PairFile:
    """The pairs of one file. `filename` can only refuse (a *.zip is no dataset), never choose the form.

    Raises:
        PairsError: one of `codes.DATASET_ERROR_CODES`; `row` counts pairs from 1, without a CSV header.
    """
    body = checked_bytes(data, filename, limits)
    first = body.lstrip()[:1]
    if first == b"{":
        return read_json_lines(body, limits)
    if first == b"[":
        return read_json_array(body, limits)
    if looks_like_table(body):
        return read_csv(body, limits)
    raise PairsError(
        "the file is no dataset that is known here: expected JSONL, CSV with a header, CAA questions or "
        "preference pairs. Plain lines come as two files, one of positive and one of negative texts",
        code="dataset.unknown_format",
    )
