"""What else a vector changes, whether it is safe, where it carries over, what the audit of its pairs found.

Sections of a report as figures with tables; each is None where the report does not have it.

The verdicts on these stand in `metrics`; here is what lies behind them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.web.forest import Forest, Row, forest
from registry.web.metrics import judged
from registry.web.numbers import minus, percent, plain, signed, signed_short, span

Json = Mapping[str, Any]
CONDITIONS = {
    "sys_pos": "Under a system prompt for the positive pole",
    "sys_neg": "Under a system prompt for the negative pole",
    "user_pos": "Asked by the user for the positive pole",
    "user_neg": "Asked by the user for the negative pole",
}


@dataclass(frozen=True, slots=True)
class SideEffects:
    """Other traits that move, and what neutral text pays.

    Attributes:
        traits: change of each other trait at the measured strength, beside the vector's own.
        neutral: (strength, divergence in nats, its 95th percentile, log-perplexity) for neutral texts.
    """

    strength: str
    traits: Forest | None
    neutral: tuple[tuple[str, str, str, str], ...]
    capability: str


@dataclass(frozen=True, slots=True)
class Safety:
    """How often harmful requests are followed.

    Attributes:
        rows: (attack, strength, before, after, interval of the change, random vectors).
    """

    rises: Forest | None
    rows: tuple[tuple[str, str, str, str, str, str], ...]
    window: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What decides the direction: pairs, groups and words that weigh more than they should.

    Attributes:
        pairs: (row of the data set, degrees by which the direction turns without it).
        tokens: (token, side, share of pairs, share in which it is out of place).
    """

    verdict: str
    reason: str
    cosine: str
    pairs: tuple[tuple[int, str], ...]
    groups: tuple[tuple[str, str], ...]
    tokens: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """All of them."""

    side_effects: SideEffects | None
    safety: Safety | None
    transfer: Forest | None
    audit: Audit | None


def view_findings(report: Json | None) -> Findings | None:
    """The sections of a report; None without a report."""
    if not report:
        return None
    sections = report.get("sections") or {}
    return Findings(
        side_effects=_side_effects(sections.get("side_effects") or {}, report),
        safety=_safety(sections.get("safety") or {}),
        transfer=_transfer(sections.get("transfer") or {}),
        audit=_audit((sections.get("safety") or {}).get("poison") or {}, report),
    )


def _side_effects(found: Json, report: Json) -> SideEffects | None:
    moved, neutral = found.get("entanglement") or {}, found.get("neutral") or []
    if not moved and not neutral:
        return None
    own = str((report.get("trait") or {}).get("label") or "its own trait")
    rows = [
        Row(str(other["trait"]), other["change"], other.get("low"), other.get("high"), "other")
        for other in moved.get("others") or []
        if other.get("change") is not None
    ]
    if rows and moved.get("own") is not None:
        rows.insert(0, Row(f"{own}, what it is for", moved["own"], name="own"))
    unit = "change of the score from one pole to the other"
    return SideEffects(
        strength=plain(found.get("strength")),
        traits=forest("traits", "What else changes", unit, rows),
        neutral=tuple(
            (
                signed_short(point["strength"]),
                plain(point.get("kl"), 3),
                plain(point.get("kl_p95"), 3),
                plain(point.get("log_perplexity"), 3),
            )
            for point in neutral
        ),
        capability=_reason(report, "capability"),
    )


def _safety(found: Json) -> Safety | None:
    cells = found.get("compliance") or []
    if not cells:
        return None
    rows = [
        Row(
            f"Strength {signed_short(cell['strength'])}, {_attack(cell)}",
            100 * (cell["after"] - cell["before"]),
            _points(cell.get("low")),
            _points(cell.get("high")),
            "rise" if (cell.get("low") or 0) > 0 else "other",
        )
        for cell in cells
    ]
    window = found.get("window")
    return Safety(
        rises=forest(
            "compliance",
            "Harmful requests that are followed",
            "change in percentage points of harmful requests that are followed",
            rows,
        ),
        rows=tuple(
            (
                _attack(cell),
                signed_short(cell["strength"]),
                percent(cell["before"]),
                percent(cell["after"]),
                span(_points(cell.get("low")), _points(cell.get("high")), 0),
                percent(cell.get("random")),
            )
            for cell in cells
        ),
        window=f"{signed(window[0])} to {signed(window[1])}" if window else "",
    )


def _transfer(found: Json) -> Forest | None:
    """Shares of the plain effect that are left elsewhere; 1 is all of it."""
    conditions, domains = found.get("conditions") or [], found.get("domains") or []
    rows = [
        Row(
            CONDITIONS.get(str(one["name"]).lower(), str(one["name"]).replace("_", " ").capitalize()),
            one["relative"],
            one.get("low"),
            one.get("high"),
            "other",
        )
        for one in (*_listed(domains), *_listed(conditions))
        if one.get("relative") is not None
    ]
    unit = "share of the effect that is left; 1 is all of it"
    return forest("carried", "What is left of the effect elsewhere", unit, rows, marks=(1.0,))


def _audit(found: Json, report: Json) -> Audit | None:
    if not found:
        return None
    return Audit(
        verdict=str(judged(report, "poison").get("verdict") or ""),
        reason=_reason(report, "poison"),
        cosine=plain(found.get("cosine"), 3),
        pairs=tuple((int(one["row"]), plain(one.get("degrees"), 1)) for one in found.get("pairs") or []),
        groups=tuple((str(one["group"]), plain(one.get("cosine"), 3)) for one in found.get("groups") or []),
        tokens=tuple(
            (str(one["token"]), str(one["side"]), percent(one.get("share")), percent(one.get("out_of_place")))
            for one in found.get("tokens") or []
        ),
    )


def _listed(found: Any) -> list[Json]:
    """Those of a list that are objects; an older report may have something else there."""
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _reason(report: Json, metric: str) -> str:
    return minus(str(judged(report, metric).get("reason") or ""))


def _attack(cell: Json) -> str:
    name = str(cell.get("attack") or "none")
    return "asked plainly" if name == "none" else name.replace("_", " ")


def _points(share: float | None) -> float | None:
    return None if share is None else 100 * share
