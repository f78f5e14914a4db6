"""What one measured run of a steered model is, as it travels from the benchmark to a worker.

Standard library only: every environment imports this.
"""

from dataclasses import asdict, dataclass
from typing import Any

PHASES = ("prefill", "decode")


@dataclass(frozen=True, slots=True)
class Steered:
    """Passes of a model that is steered in one way, or not at all.

    Attributes:
        side: who steers: `bearing`, or a peer's package name.
        how: `unsteered` or `hooked`; of Bearing alone also `folded` and `rows`, a vector for each row.
        blocks: which decoder blocks get an addition.
        n_vectors: how many of the rows' vectors differ; of `rows` only.
        phase: `prefill`, the prompts at once, or `decode`, the next token of every row, with a cache.
        batch: rows.
        tokens: of each prompt.
        repeats: passes per measurement.
    """

    side: str
    how: str
    blocks: tuple[int, ...] = ()
    n_vectors: int = 1
    phase: str = "decode"
    batch: int = 1
    tokens: int = 32
    repeats: int = 1

    @property
    def tokens_per_measurement(self) -> int:
        """Tokens that go through the model in one measurement."""
        return self.batch * self.repeats * (self.tokens if self.phase == "prefill" else 1)

    def to_json(self) -> dict[str, Any]:
        """For one line of the worker's input."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Steered":
        """What `to_json` gave, after its way through JSON."""
        return cls(**{**value, "blocks": tuple(value["blocks"])})
