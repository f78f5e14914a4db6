"""Rows as people paste them: what `read_pairs` takes, and tables with other signs or without a header.

For files that programs send, `read_pairs` stays strict: there a guess would be found out too late.
"""

import csv
import io
from collections.abc import Iterator, Sequence

from steering_core.errors import PairsError
from steering_core.pairs.decode import checked_bytes
from steering_core.pairs.limits import DEFAULT_LIMITS, Limits
from steering_core.pairs.pair import PairFile
from steering_core.pairs.readers import read_pairs
from steering_core.pairs.readers.csv_table import read_csv
from steering_core.pairs.rows import HOUSE, PREFERENCE, pair_from_row

TWO_COLUMNS = "two_columns"
_DELIMITERS = ("\t", "|", ";", ",")
_KNOWN = frozenset((*HOUSE.fields, *PREFERENCE.fields))
# What a strict reader says to a table that could be read with other signs, or without a header.
_WORTH_A_SECOND_LOOK = frozenset(
    ("dataset.delimiter", "dataset.header_missing", "dataset.unknown_format", "dataset.missing_field")
)


def read_loosely(data: bytes, *, filename: str = "", limits: Limits = DEFAULT_LIMITS) -> PairFile:
    """As `read_pairs`; also tables with tabs, bars or semicolons, and two columns without a header.

    Without a header the first column is the positive text, and a note says so.

    Raises:
        PairsError: what `read_pairs` says, where a second look finds no table either.
    """
    # A table of tabs is a plain text to the strict reader, whatever its name ends in.
    name = filename[:-4] if filename.lower().endswith(".tsv") else filename
    try:
        return read_pairs(data, filename=name, limits=limits)
    except PairsError as error:
        if error.code not in _WORTH_A_SECOND_LOOK:
            raise
        body = checked_bytes(data, name, limits)
        if body.lstrip()[:1] in (b"{", b"["):
            raise
        found = _table(body.decode("utf-8"), limits)
        if found is None:
            raise
        return found


def _table(text: str, limits: Limits) -> PairFile | None:
    for delimiter in _DELIMITERS:
        rows = [row for row in _split(text, delimiter) if row]
        if len(rows) < 1 or any(len(row) != len(rows[0]) for row in rows) or len(rows[0]) < 2:
            continue
        header = [cell.strip() for cell in rows[0]]
        if _KNOWN.intersection(header):
            return read_csv(_with_commas([header, *rows[1:]]), limits)
        if len(rows[0]) == 2:
            return _two_columns(rows, limits)
    return None


def _split(text: str, delimiter: str) -> Iterator[list[str]]:
    """Cells by row; where quotes do not match, a quote is a sign like any other."""
    lines = io.StringIO(text, newline="")
    try:
        if delimiter in "\t|" and text.count('"') % 2:
            yield from csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        else:
            yield from csv.reader(lines, delimiter=delimiter)
    except csv.Error:
        return


def _two_columns(rows: Sequence[Sequence[str]], limits: Limits) -> PairFile:
    pairs = tuple(
        pair_from_row({"positive": one.strip(), "negative": other.strip()}, HOUSE, number, limits)
        for number, (one, other) in enumerate(rows, start=1)
    )
    return PairFile(TWO_COLUMNS, pairs, ("Two columns without a header: the first was read as positive.",))


def _with_commas(rows: Sequence[Sequence[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue().encode()
