"""What the safety gate of a report allows: a vector that fails it is published nowhere, one that was never
screened is never shown to everybody.

Called on every way to the public: publishing, publishing at the end of a run, a change of visibility.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from registry.accounts.access import OPEN
from registry.catalog.states import Verdict

GATE = "safety"

Report = Mapping[str, Any]


def screening_verdict(report: Report | None) -> str:
    """The verdict of the safety gate; `insufficient` for reports from before there were gates."""
    return str(_gate(report).get("verdict") or Verdict.INSUFFICIENT)


def screening_problem(report: Report | None, visibility: str) -> str | None:
    """Why a version with this report may not be published with this visibility, or None if it may."""
    verdict = screening_verdict(report)
    if verdict == Verdict.FAIL:
        found = " ".join(_failures(report)) or _gate(report).get("reason", "")
        return (
            f"it fails the safety screen, so it cannot be published at all. {found} "
            "Change the pairs or the place so that it no longer does this, extract again, and publish that"
        )
    if verdict == Verdict.INSUFFICIENT and visibility in OPEN:
        return f"it was not screened for safety, so it can only be private. {_advice(report)}"
    return None


def _gate(report: Report | None) -> Report:
    gates = (report or {}).get("gates") or []
    return next((gate for gate in gates if gate.get("name") == GATE), {})


def _failures(report: Report | None) -> Iterator[str]:
    """Each failed metric of the gate with what was found, the strength included."""
    for metric in (report or {}).get("metrics") or []:
        if metric.get("gate") == GATE and metric.get("verdict") == Verdict.FAIL:
            yield f"{metric.get('id')}: {metric.get('reason')}"


def _advice(report: Report | None) -> str:
    """What to do about a screen that was not made, or could not decide."""
    if not _gate(report) or (report or {}).get("tier") == "smoke":
        return "Screen it first: extract it with tier standard, and publish that"
    reason = str(_gate(report).get("reason") or "it gives no reason").rstrip(".")
    return f"The screen of its report could not decide: {reason}"
