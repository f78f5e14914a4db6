"""Rows of pairs as one may ask for them: by text, split, domain, remark, and what was done to them.

Rows of an upload and rows of a saved version come here alike, as `Row`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from registry.core.errors import InvalidError
from registry.datasets.flags import FLAGS
from registry.datasets.models import DatasetVersion
from registry.datasets.rows import DraftRow
from registry.datasets.selectors import version_flags, version_pairs, version_splits
from steering_core.pairs.pair import ContrastivePair

SPLITS = ("train", "select", "test")
# More digits than any number of a row has.
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Row:
    """A row with everything that one may ask for it by.

    Attributes:
        number: from 1.
        flags: codes of `FLAGS`, in their order.
        split: one of `SPLITS`; empty for a row that does not count, and for rows of an upload.
    """

    number: int
    pair: ContrastivePair
    flags: tuple[str, ...] = ()
    split: str = ""
    is_excluded: bool = False
    is_changed: bool = False
    is_added: bool = False

    @property
    def states(self) -> set[str]:
        """`kept` or `excluded`, and `changed` or `added`."""
        found = {"excluded" if self.is_excluded else "kept"}
        return found | ({"changed"} if self.is_changed else set()) | ({"added"} if self.is_added else set())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What rows are asked for; `has_any` says whether it narrows them at all."""

    text: str = ""
    state: str = ""
    flag: str = ""
    split: str = ""
    domain: str = ""
    # One row alone; 0 for no such wish.
    row: int = 0

    @property
    def has_any(self) -> bool:
        return bool(self.text or self.state or self.flag or self.split or self.domain or self.row)


@dataclass(frozen=True, slots=True)
class FoundRows:
    """Rows in the order of their numbers, which gives its pages itself. A cursor is the number of a row."""

    rows: Sequence[Row]

    def page(self, limit: int, cursor: str = "") -> tuple[Sequence[Row], str]:
        """The rows after the one with this number, and the number of their last, empty on the last page.

        Raises:
            InvalidError: the cursor is no number.
        """
        if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= _DIGITS):
            raise InvalidError(
                f"the cursor {cursor[:20]!r} is not the number of a row; send the next_cursor of the page "
                "before, or none at all",
                code="cursor.invalid",
                fields={"cursor": "not the number of a row"},
            )
        after = int(cursor or 0)
        rows = [row for row in self.rows if row.number > after]
        return rows[:limit], str(rows[limit - 1].number) if len(rows) > limit else ""


def draft_rows(rows: Iterable[DraftRow], flags: Mapping[str, Sequence[int]]) -> list[Row]:
    """The rows of an upload; `flags` are the row numbers by flag."""
    by_row = flags_by_row(flags)
    return [
        Row(r.number, r.pair, by_row.get(r.number, ()), "", r.is_excluded, r.is_changed, r.is_added)
        for r in rows
    ]


def version_rows(*, version: DatasetVersion) -> list[Row]:
    """Every row of a saved version.

    Raises:
        BlobMissingError, BlobCorruptError, BlobStoreError: from reading the pairs.
    """
    pairs = version_pairs(version=version)
    by_row = flags_by_row(version_flags(version=version, pairs=pairs))
    splits = version_splits(pairs=pairs, seed=version.report["splits"]["seed"])
    return [
        Row(number, pair, by_row.get(number, ()), splits.get(number, ""))
        for number, pair in enumerate(pairs, start=1)
    ]


def rows_found(rows: Iterable[Row], wanted: Wanted) -> list[Row]:
    """Those of the rows that are asked for, in their order."""
    return [row for row in rows if _fits(row, wanted)]


def flags_by_row(flags: Mapping[str, Sequence[int]]) -> dict[int, tuple[str, ...]]:
    """The flags of each row that has some, in the order of `FLAGS`."""
    found: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for flag in FLAGS:
        for number in flags.get(flag, ()):
            found[number] += (flag,)
    return dict(found)


def _fits(row: Row, wanted: Wanted) -> bool:
    pair = row.pair
    if wanted.row and row.number != wanted.row:
        return False
    if wanted.state and wanted.state not in row.states:
        return False
    if wanted.flag and wanted.flag not in row.flags:
        return False
    if (wanted.split and row.split != wanted.split) or (wanted.domain and pair.domain != wanted.domain):
        return False
    text = wanted.text.casefold()
    return not text or any(
        text in field.casefold() for field in (pair.prompt, pair.positive, pair.negative, pair.group)
    )
