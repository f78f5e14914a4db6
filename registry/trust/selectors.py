"""Read blind tests: the next question of a rater, and what all answers show."""

from dataclasses import dataclass
from typing import Any

from django.utils.crypto import salted_hmac

from registry.accounts.models import User
from registry.catalog.models import VectorVersion
from registry.core.errors import NotFoundError
from registry.trust.models import BlindAnswer
from steering_core.evaluation.blind import Comparison, Conclusion, Rating, conclude, plan


@dataclass(frozen=True, slots=True)
class Question:
    """One comparison as a rater sees it; which reply is which is not in it.

    Attributes:
        number: from 1; `total` is how many there are.
        trait: what the reply is asked to show more of.
    """

    number: int
    total: int
    prompt: str
    left: str
    right: str
    trait: str


def blind_items(*, version: VectorVersion) -> list[dict[str, str]]:
    """The replies to compare: each a prompt with `neutral`, `steered` and `random`.

    Raises:
        NotFoundError: the report has none.
    """
    sections = (version.report or {}).get("sections") or {}
    items: list[dict[str, str]] = (sections.get("blind") or {}).get("items") or []
    if not items:
        raise NotFoundError(
            "this version has no replies to compare; evaluate it at tier standard, on pairs with prompts",
            code="blind.no_material",
        )
    return items


def blind_plan(*, rater: User, version: VectorVersion) -> list[Comparison]:
    """The comparisons of one rater. Sides are drawn with the service's secret, so that nobody can work out
    which reply is steered.
    """
    n_items = len(blind_items(version=version))
    seed = salted_hmac("registry.trust.blind", f"{version.pk}/{rater.pk}").digest()
    return plan(n_items, int.from_bytes(seed[:8], "big"))


def blind_question(*, rater: User, version: VectorVersion) -> Question | None:
    """The first comparison that this rater has not answered; None when all are.

    Raises:
        NotFoundError: there is nothing to compare.
    """
    items, comparisons = blind_items(version=version), blind_plan(rater=rater, version=version)
    number = BlindAnswer.objects.filter(version=version, rater=rater).count()
    if number >= len(comparisons):
        return None
    shown = comparisons[number]
    item = items[shown.item]
    pushed = {"steered": "steered", "random": "random", "identical": "neutral"}[shown.kind]
    texts = (item[pushed], item["neutral"])
    left, right = texts if shown.is_left else texts[::-1]
    trait = (version.report or {}).get("trait") or {}
    wanted = str(trait.get("positive_pole") or "like the positive texts")
    return Question(number + 1, len(comparisons), item["prompt"], left, right, wanted)


def blind_conclusion(*, version: VectorVersion) -> Conclusion:
    """What all answers show; insufficient below 30 decided comparisons."""
    rows = BlindAnswer.objects.filter(version=version).order_by("created_at")
    return conclude([Rating(str(r.rater_id), r.item, r.kind, r.is_left, r.answer) for r in rows])  # type: ignore[arg-type]


def conclusion_json(found: Conclusion) -> dict[str, Any]:
    """The metric as reports have theirs, and the counts behind it."""
    return {
        "metric": found.metric.to_json(),
        "decided": found.decided,
        "ties": found.ties,
        "raters": found.raters,
        "false_alarms": found.false_alarms,
        "random_wins": found.random_wins,
        "agreement": found.agreement,
        "left_out": found.left_out,
    }
