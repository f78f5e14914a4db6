"""Finds marked spans in a text that is read piece by piece, row by row. Used by `passes`.

Runs on the CPU over the token ids; only tokens where a marker ends are visited one by one.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from steering_core.injection.mix import Span

_NO_TOKEN = -1


class SpanReader:
    """Which tokens of a batch are inside a span, and what must be remembered for the next piece.

    All tensors are on the CPU and have one row for each of the batch.
    """

    def __init__(self, spans: Sequence[Span], batch: int) -> None:
        self._spans = spans
        longest = max((len(ids) for span in spans for ids in (span.open_ids, span.close_ids)), default=1)
        self._tail = torch.full((batch, longest - 1), _NO_TOKEN)
        self._inside = torch.zeros(len(spans), batch, dtype=torch.bool)
        # Tokens of a marker that was used are not part of the next one: the column from which one may begin.
        self._free = torch.zeros(len(spans), batch, dtype=torch.long)
        self._length = 0

    def read(self, ids: Tensor, real: Tensor | None) -> Tensor | bool:
        """Which of the next tokens are inside no span.

        Args:
            ids: (batch, tokens).
            real: (batch, tokens), False at padding, which no marker may contain; None if there is none.
        Returns:
            (batch, tokens) booleans; True where that is all of them, False where none.
        """
        ids = ids.cpu() if real is None else torch.where(real.cpu(), ids.cpu(), _NO_TOKEN)
        known = torch.cat([self._tail, ids], dim=1)
        inside = torch.zeros(ids.shape, dtype=torch.bool)
        for number, span in enumerate(self._spans):
            ends = [self._ends(known, marker) for marker in (span.open_ids, span.close_ids)]
            for row in range(len(ids)):
                self._mark(inside[row], number, row, span, [end[row] for end in ends])
        self._tail = known[:, known.shape[1] - self._tail.shape[1] :]
        self._length += ids.shape[1]
        if not inside.any():
            return True
        return False if inside.all() else ~inside

    def take(self, rows: Tensor) -> None:
        """Keep these rows, in this order."""
        self._tail, self._inside, self._free = self._tail[rows], self._inside[:, rows], self._free[:, rows]

    def _ends(self, known: Tensor, marker: Sequence[int]) -> Tensor:
        """(batch, tokens): whether a marker ends at a token."""
        before = self._tail.shape[1]
        first, tokens = before - len(marker) + 1, known.shape[1] - before
        found = torch.ones(len(known), tokens, dtype=torch.bool)
        for place, token in enumerate(marker, start=first):
            found &= known[:, place : place + tokens] == token
        return found

    def _mark(self, inside: Tensor, number: int, row: int, span: Span, ends: Sequence[Tensor]) -> None:
        """Mark one span's tokens in one row."""
        is_open, begin = bool(self._inside[number, row]), 0
        for at in (ends[0] | ends[1]).nonzero()[:, 0].tolist():
            marker = span.close_ids if is_open else span.open_ids
            begins = self._length + at - len(marker) + 1
            if not ends[is_open][at] or begins < self._free[number, row]:
                continue
            if is_open:
                inside[begin:at] = True
            is_open, begin = not is_open, at
            self._free[number, row] = self._length + at + 1
        if is_open:
            inside[begin:] = True
        self._inside[number, row] = is_open
