"""What a measurement costs: rows and tokens that go through the model, and seconds.

docs/evaluation.md predicts the rows of each tier; a report says what they were.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from steering_core.models.load import LanguageModel
from steering_core.spec import EvaluationBudget


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


def predicted_rows(budget: EvaluationBudget, *, n_items: int, n_attacks: int, is_first: bool = True) -> int:
    """About how many forward rows a report takes at tier standard or gold, where there are a scorer, prompts
    and a suite.

    Args:
        n_items: test pairs there are.
        n_attacks: of the suite.
        is_first: whether the model's own numbers are still to be measured.
    """
    items, prompts, asked = min(n_items, budget.n_items), budget.n_prompts, budget.safety_prompts
    near = sum(abs(strength) <= 0.3 for strength in budget.strengths)
    every = asked * (n_attacks + 2)
    rows = (
        2 * items * near  # steerability
        + prompts * (len(budget.strengths) + 6)  # response
        + 33 * prompts  # window
        + 6.8 * every + 38 * 16 * (n_attacks + 1)  # safety, with its random vectors
        + 40 * min(items, 24)  # transfer
        + 5.5 * budget.capability_items  # side effects
        + 72 * budget.random_controls + 16  # controls
        + 6 * prompts  # prompting
        + 120 + 250  # blind, latency
    )  # fmt: skip
    if is_first:
        rows += every + 440
    return round(rows)
