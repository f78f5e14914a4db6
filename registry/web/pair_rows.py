"""Rows of pairs as pages show them: counted off in pages, with what differs marked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import HttpRequest, QueryDict

from registry.datasets.flags import FLAGS, Flag
from registry.datasets.searching import SPLITS, Row, Wanted, rows_found
from registry.web.differing import CLIP_CHARS, Shown, plain_text, side_by_side
from steering_core.pairs.pair import RAW

PAGE_ROWS = 25
STATES = {"kept": "kept", "excluded": "left out", "changed": "changed", "added": "added"}


@dataclass(frozen=True, slots=True)
class PageWanted(Wanted):
    """What the address asks for."""

    page: int = 1


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


def wanted_rows(query: QueryDict) -> PageWanted:
    """What an address asks for; values that make no sense are as good as none."""

    def one_of(name: str, known: Iterable[str]) -> str:
        return value if (value := query.get(name, "")) in known else ""

    def number(name: str, otherwise: int) -> int:
        text = query.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else otherwise

    return PageWanted(
        text=query.get("q", "").replace("\0", "").strip()[:200],
        state=one_of("show", STATES),
        flag=one_of("flag", FLAGS),
        split=one_of("split", SPLITS),
        domain=query.get("domain", "")[:200],
        row=number("row", 0),
        page=number("page", 1),
    )


def row_page(request: HttpRequest, rows: Sequence[Row], wanted: PageWanted) -> RowPage:
    """The page of the rows that an address asks for; past the last page stands the last one."""
    found = rows_found(rows, wanted)
    n_pages = max(1, -(-len(found) // PAGE_ROWS))
    number = min(max(1, wanted.page), n_pages)
    start = (number - 1) * PAGE_ROWS
    return RowPage(
        rows=tuple(
            view_row(row, None if wanted.row else CLIP_CHARS) for row in found[start : start + PAGE_ROWS]
        ),
        total=len(found),
        first=start + 1 if found else 0,
        number=number,
        n_pages=n_pages,
        query=_query(request, number),
        previous_query=_query(request, number - 1) if number > 1 else "",
        next_query=_query(request, number + 1) if number < n_pages else "",
    )


def view_row(row: Row, clip: int | None = CLIP_CHARS) -> RowView:
    """One row; without `clip` its texts are whole."""
    negative, positive = side_by_side(row.pair.negative, row.pair.positive, clip)
    shown = tuple(FLAGS[flag] for flag in row.flags)
    return RowView(row, plain_text(row.pair.prompt, clip), negative, positive, shown)


def _query(request: HttpRequest, page: int) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    if page > 1:
        query["page"] = str(page)
    return "?" + query.urlencode() if query else "?"
