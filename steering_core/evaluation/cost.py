"""What a measurement costs: rows and tokens that go through the model, and seconds.

docs/evaluation.md predicts the rows of each tier; a report says what they were.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from steering_core.models.load import LanguageModel


@dataclass(slots=True)
class Cost:
    """Counted while `counted` is open.

    Attributes:
        forward_rows: texts that went through the model, as a whole or as the prompt of a reply.
        reply_tokens: tokens of replies, each one row of one token.
        tokens: all tokens.
    """

    forward_rows: int = 0
    reply_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, float]:
        """As the report stores it."""
        return {
            "forward_rows": self.forward_rows,
            "reply_tokens": self.reply_tokens,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
        }

    def __iadd__(self, other: "Cost") -> "Cost":
        self.forward_rows += other.forward_rows
        self.reply_tokens += other.reply_tokens
        self.tokens += other.tokens
        self.seconds += other.seconds
        return self


@contextmanager
def counted(lm: LanguageModel) -> Iterator[Cost]:
    """Counts every pass of the model within the block."""
    cost = Cost()

    def count(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        rows, length = ids.shape
        cost.tokens += rows * length
        if length == 1:
            cost.reply_tokens += rows
        else:
            cost.forward_rows += rows

    started = time.monotonic()
    handle = lm.model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield cost
    finally:
        handle.remove()
        cost.seconds = time.monotonic() - started
