"""What a run will take, judged by what runs like it took here: of the same tier on the same base model.

Nothing is guessed in seconds: without such a run there is only a count of the texts that the tier asks for.
The page that shows it is `registry.web.views.extracting`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from django.db.models import F

from registry.catalog.models import BaseModelRevision
from registry.runs.models import Run
from registry.runs.states import RunState
from steering_core.spec import BUDGETS, TIERS

# Runs that are looked at, newest first, and those of a tier that an estimate rests on.
LOOKED_AT, JUDGED_BY = 90, 12
# Of the pairs, those that a report is measured on; see `steering_core.pairs.splits`.
TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Past:
    """What one run took.

    Attributes:
        forward_rows: texts that went through the model; None where its report does not say.
    """

    tier: str
    n_pairs: int
    seconds: float
    forward_rows: int | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a tier will take.

    Attributes:
        n_runs: how many runs it rests on; 0 for none, and then there are no seconds.
        seconds: the shortest, the median and the longest of them.
        pairs: the fewest and the most pairs that they had.
        forward_rows: texts that go through the model: the median of these runs, else `planned_rows`.
    """

    tier: str
    n_runs: int
    seconds: tuple[float, float, float] | None
    pairs: tuple[int, int] | None
    forward_rows: int


def extraction_estimates(*, base_model: BaseModelRevision, n_pairs: int) -> tuple[Estimate, ...]:
    """One estimate for each tier, from one query. Durations say nothing of whose runs they were."""
    past = _past_extractions(base_model)
    return tuple(
        _estimate(tier, n_pairs, [run for run in past if run.tier == tier and run.seconds > 0])
        for tier in TIERS
    )


def planned_rows(tier: str, n_pairs: int) -> int:
    """About how many texts a tier sends through the model: each pair's two answers, the answers of the test
    items and the replies at every strength, the answers under random vectors, and the suites.
    """
    budget, n_test = BUDGETS[tier], max(1, round(TEST_SHARE * n_pairs))
    n_items, n_prompts = min(budget.n_items, n_test), min(budget.n_prompts, n_test)
    measured = len(budget.strengths) * (2 * n_items + n_prompts)
    controls = budget.random_controls * 2 * n_items
    return 2 * n_pairs + measured + controls + budget.capability_items + 2 * budget.safety_prompts


def _past_extractions(base_model: BaseModelRevision) -> list[Past]:
    rows = (
        Run.objects.filter(
            kind=Run.Kind.EXTRACT,
            state=RunState.SUCCEEDED,
            vector_version__base_model=base_model,
            started_at__isnull=False,
            finished_at__isnull=False,
        )
        .order_by("-created_at")
        .values_list(
            "vector_version__spec__tier",
            "vector_version__dataset_version__n_pairs",
            F("finished_at") - F("started_at"),
            "vector_version__report__cost__forward_rows",
        )[:LOOKED_AT]
    )
    return [Past(str(tier), n, took.total_seconds(), rows_ or None) for tier, n, took, rows_ in rows]


def _estimate(tier: str, n_pairs: int, past: Iterable[Past]) -> Estimate:
    """By the runs whose number of pairs is nearest, in ratio."""
    near = sorted(past, key=lambda run: abs(math.log(max(run.n_pairs, 1) / max(n_pairs, 1))))[:JUDGED_BY]
    rows = [run.forward_rows for run in near if run.forward_rows]
    forward_rows = round(median(rows)) if rows else planned_rows(tier, n_pairs)
    if not near:
        return Estimate(tier, 0, None, None, forward_rows)
    seconds, pairs = [run.seconds for run in near], [run.n_pairs for run in near]
    return Estimate(
        tier,
        len(near),
        (min(seconds), median(seconds), max(seconds)),
        (min(pairs), max(pairs)),
        forward_rows,
    )
