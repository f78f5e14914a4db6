"""The rows of an upload as they stand after its edits. Nothing is stored here; `drafts` does that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from registry.datasets.states import EditKind
from steering_core.pairs.pair import RAW, ContrastivePair


class Edit(Protocol):
    """What of an edit counts here."""

    kind: str
    rows: Any
    pair: Any


@dataclass(slots=True)
class DraftRow:
    """A row of an upload.

    Attributes:
        number: from 1, for good: it stays whatever is left out.
        came: the pair as the file had it; None for a row that was added by hand.
    """

    number: int
    pair: ContrastivePair
    came: ContrastivePair | None
    is_excluded: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether it says something else than the file."""
        return self.came is not None and self.pair != self.came

    @property
    def is_added(self) -> bool:
        """Whether somebody wrote it here."""
        return self.came is None


def rows_after(came: Sequence[ContrastivePair], edits: Iterable[Edit]) -> list[DraftRow]:
    """Every row, left out or not, after all edits. Numbers that no row has do nothing."""
    rows = [DraftRow(number, pair, pair) for number, pair in enumerate(came, start=1)]
    for edit in edits:
        if edit.kind == EditKind.ADD:
            rows.append(DraftRow(len(rows) + 1, ContrastivePair(**edit.pair), None))
            continue
        numbers = edit.rows or range(1, len(rows) + 1)
        for number in numbers:
            if 1 <= number <= len(rows):
                _apply(edit, rows[number - 1])
    return rows


def kept(rows: Iterable[DraftRow]) -> list[DraftRow]:
    """The rows that are not left out."""
    return [row for row in rows if not row.is_excluded]


def history(edits: Iterable[Edit], rows: Sequence[DraftRow]) -> list[str]:
    """What a saved version says about how its rows were changed by hand; empty where none was."""
    counts = {
        "rows left out": sum(row.is_excluded for row in rows),
        "rows changed": sum(row.is_changed and not row.is_excluded for row in rows),
        "rows added": sum(row.is_added and not row.is_excluded for row in rows),
    }
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    return [f"Mended by hand before it was saved: {said}."] if said else []


def _apply(edit: Edit, row: DraftRow) -> None:
    pair = row.pair
    if edit.kind == EditKind.EDIT:
        row.pair = ContrastivePair(**edit.pair)
    elif edit.kind == EditKind.SWAP:
        row.pair = replace(pair, positive=pair.negative, negative=pair.positive)
    elif edit.kind in (EditKind.RAW, EditKind.TURNS):
        row.pair = replace(pair, template=RAW if edit.kind == EditKind.RAW else "")
    else:
        row.is_excluded = edit.kind == EditKind.EXCLUDE
