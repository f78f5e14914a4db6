"""Rows of pairs as pages show them: searched, filtered, counted off in pages, with what differs marked.

Rows of an upload and rows of a saved version come here alike, as `Row`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest, QueryDict

from registry.datasets.rows import DraftRow
from registry.web.differing import CLIP_CHARS, Shown, plain_text, side_by_side
from registry.web.flags import FLAGS, Flag
from steering_core.pairs.pair import RAW, ContrastivePair

PAGE_ROWS = 25
STATES = {"kept": "kept", "excluded": "left out", "changed": "changed", "added": "added"}
SPLITS = ("train", "select", "test")


@dataclass(frozen=True, slots=True)
class Row:
    """A row with everything that one may ask for it by."""

    number: int
    pair: ContrastivePair
    split: str = ""
    is_excluded: bool = False
    is_changed: bool = False
    is_added: bool = False

    @property
    def states(self) -> set[str]:
        """Which of `STATES` hold."""
        found = {"excluded" if self.is_excluded else "kept"}
        return found | ({"changed"} if self.is_changed else set()) | ({"added"} if self.is_added else set())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for; `has_any` says whether it narrows the rows at all."""

    text: str = ""
    state: str = ""
    flag: str = ""
    split: str = ""
    domain: str = ""
    # One row alone, whole; 0 for no such wish.
    row: int = 0
    page: int = 1

    @property
    def has_any(self) -> bool:
        return bool(self.text or self.state or self.flag or self.split or self.domain or self.row)


@dataclass(frozen=True, slots=True)
class RowView:
    """A row ready for its template."""

    row: Row
    prompt: Shown
    negative: Shown
    positive: Shown
    flags: tuple[Flag, ...]

    @property
    def hidden(self) -> int:
        """Characters that were clipped."""
        return self.prompt.hidden + self.negative.hidden + self.positive.hidden

    @property
    def is_raw(self) -> bool:
        """Whether the model reads it without its chat template."""
        return self.row.pair.template == RAW


@dataclass(frozen=True, slots=True)
class RowPage:
    """One page of the rows that were asked for; `query` leads here, the others to its neighbours."""

    rows: tuple[RowView, ...]
    total: int
    first: int
    number: int
    n_pages: int
    query: str
    previous_query: str
    next_query: str

    @property
    def last(self) -> int:
        """The place of the last row on this page among those that were found."""
        return self.first + len(self.rows) - 1


def wanted_rows(query: QueryDict) -> Wanted:
    """What an address asks for; values that make no sense are as good as none."""

    def one_of(name: str, known: Iterable[str]) -> str:
        return value if (value := query.get(name, "")) in known else ""

    def number(name: str, otherwise: int) -> int:
        text = query.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else otherwise

    return Wanted(
        text=query.get("q", "").replace("\0", "").strip()[:200],
        state=one_of("show", STATES),
        flag=one_of("flag", FLAGS),
        split=one_of("split", SPLITS),
        domain=query.get("domain", "")[:200],
        row=number("row", 0),
        page=number("page", 1),
    )


def draft_rows(rows: Iterable[DraftRow]) -> list[Row]:
    """The rows of an upload."""
    return [Row(r.number, r.pair, "", r.is_excluded, r.is_changed, r.is_added) for r in rows]


def version_rows(pairs: Iterable[ContrastivePair], splits: Mapping[int, str]) -> list[Row]:
    """The rows of a saved version."""
    return [Row(number, pair, splits.get(number, "")) for number, pair in enumerate(pairs, start=1)]


def row_page(
    request: HttpRequest, rows: Sequence[Row], flags: Mapping[str, Sequence[int]], wanted: Wanted
) -> RowPage:
    """The page of the rows that an address asks for; past the last page stands the last one."""
    flagged = frozenset(flags.get(wanted.flag, ()))
    found = [row for row in rows if _fits(row, wanted, flagged)]
    n_pages = max(1, -(-len(found) // PAGE_ROWS))
    number = min(max(1, wanted.page), n_pages)
    start = (number - 1) * PAGE_ROWS
    by_row = flags_by_row(flags)
    return RowPage(
        rows=tuple(
            view_row(row, by_row.get(row.number, ()), None if wanted.row else CLIP_CHARS)
            for row in found[start : start + PAGE_ROWS]
        ),
        total=len(found),
        first=start + 1 if found else 0,
        number=number,
        n_pages=n_pages,
        query=_query(request, number),
        previous_query=_query(request, number - 1) if number > 1 else "",
        next_query=_query(request, number + 1) if number < n_pages else "",
    )


def view_row(row: Row, flags: Iterable[str] = (), clip: int | None = CLIP_CHARS) -> RowView:
    """One row; without `clip` its texts are whole."""
    negative, positive = side_by_side(row.pair.negative, row.pair.positive, clip)
    shown = tuple(FLAGS[flag] for flag in flags if flag in FLAGS)
    return RowView(row, plain_text(row.pair.prompt, clip), negative, positive, shown)


def flags_by_row(flags: Mapping[str, Sequence[int]]) -> dict[int, list[str]]:
    """The flags of each row, in the order of `FLAGS`."""
    found: dict[int, list[str]] = defaultdict(list)
    for flag in FLAGS:
        for number in flags.get(flag, ()):
            found[number].append(flag)
    return found


def _fits(row: Row, wanted: Wanted, flagged: frozenset[int]) -> bool:
    pair = row.pair
    if wanted.row and row.number != wanted.row:
        return False
    if wanted.state and wanted.state not in row.states:
        return False
    if wanted.flag and row.number not in flagged:
        return False
    if (wanted.split and row.split != wanted.split) or (wanted.domain and pair.domain != wanted.domain):
        return False
    text = wanted.text.casefold()
    return not text or any(
        text in field.casefold() for field in (pair.prompt, pair.positive, pair.negative, pair.group)
    )


def _query(request: HttpRequest, page: int) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    if page > 1:
        query["page"] = str(page)
    return "?" + query.urlencode() if query else "?"
