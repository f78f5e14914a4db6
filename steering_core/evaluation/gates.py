"""Sums a report up: a verdict per gate, one over all, a grade, and the sentences that come first.

The grade is the worst gate, never an average: a vector that works and is unsafe is not half good.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from steering_core.evaluation.evidence import Gate, Metric, Verdict

GATES: tuple[str, ...] = get_args(Gate)
_WORST_FIRST: tuple[Verdict, ...] = ("fail", "insufficient", "warn", "pass")


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """One gate: its worst metric decides."""

    name: str
    verdict: Verdict
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As the report stores it."""
        return {"name": self.name, "verdict": self.verdict, "reason": self.reason}


def gate_verdicts(metrics: Sequence[Metric]) -> list[GateVerdict]:
    """One per gate in a fixed order; a gate of which nothing was measured is insufficient."""
    return [_gate(name, [m for m in metrics if m.definition.gate == name]) for name in GATES]


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Fail, then insufficient, then warn, then pass."""
    return min(verdicts, key=_WORST_FIRST.index)


def grade(gates: Sequence[GateVerdict], tier: str) -> str:
    """A: all pass at gold. B: all pass or warn, at standard or gold. C: evidence is missing. F: one fails."""
    verdict = worst([gate.verdict for gate in gates])
    if verdict == "fail":
        return "F"
    if verdict == "insufficient" or tier == "smoke":
        return "C"
    return "A" if verdict == "pass" and tier == "gold" else "B"


def _gate(name: str, metrics: Sequence[Metric]) -> GateVerdict:
    if not metrics:
        return GateVerdict(name, "insufficient", "Nothing of this was measured.")
    decides = min(metrics, key=lambda metric: _WORST_FIRST.index(metric.verdict))
    if decides.verdict == "pass":
        return GateVerdict(name, "pass", f"All {len(metrics)} pass." if len(metrics) > 1 else decides.reason)
    return GateVerdict(name, decides.verdict, f"{decides.definition.question} {decides.reason}")
