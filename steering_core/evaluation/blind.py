"""The blind test: people who do not know which reply is steered say which shows more of the trait.

`plan` lays the comparisons out for one rater, `conclude` says what the answers show. `blind_material` writes
the replies. No torch here: the web page runs it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from steering_core.evaluation.evidence import Definition, Metric, Sample, judged
from steering_core.evaluation.statistics import clopper_pearson, clustered_proportion

MIN_COMPARISONS = 30
# Of a rater's comparisons these shares are of a reply with itself, and with one under a random vector.
CATCH_SHARE = CONTROL_SHARE = 0.1
# Someone who sees a difference in more than half of the pairs that have none is not reading.
MAX_FALSE_ALARMS = 0.5

Kind = Literal["steered", "identical", "random"]
# Which of the two replies shows more of the trait; the first is the one on the left.
Answer = Literal["left", "right", "tie"]

BLIND = Definition(
    "blind",
    None,
    "Do people see it?",
    "Share of decided comparisons in which the steered reply shows more of the trait",
    f"passes if the lower bound > 0.5; fails if the upper bound < 0.5; needs {MIN_COMPARISONS} comparisons",
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question to a rater.

    Attributes:
        item: index of the prompt in the material.
        is_left: whether the steered (or, of random pairs, the randomly pushed) reply stands on the left.
    """

    item: int
    kind: Kind
    is_left: bool


@dataclass(frozen=True, slots=True)
class Rating:
    """One answer of one rater."""

    rater: str
    item: int
    kind: Kind
    is_left: bool
    answer: Answer

    @property
    def chose_pushed(self) -> bool:
        """Whether the steered, or the randomly pushed, reply was said to show more."""
        return self.answer == ("left" if self.is_left else "right")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What all answers show.

    Attributes:
        metric: the share of wins with its interval.
        decided, ties: comparisons of steered with neutral replies, by attentive raters.
        false_alarms: share of pairs without a difference, in which one was seen.
        random_wins: share of decided comparisons that a random vector won; None without any.
        agreement: Cohen's kappa of the two raters with most items in common; None with fewer than two.
        left_out: raters who saw differences where there are none.
    """

    metric: Metric
    decided: int
    ties: int
    raters: int
    false_alarms: float | None
    random_wins: float | None
    agreement: float | None
    left_out: int


def plan(n_items: int, seed: int) -> list[Comparison]:
    """The comparisons of one rater in random order: every item once, catch trials among them.

    Sides are drawn for each, so that neither says anything. The same seed gives the same plan.
    """
    drawn = random.Random(seed)
    catch, control = (round(share * n_items) for share in (CATCH_SHARE, CONTROL_SHARE))
    extra = drawn.sample(range(n_items), catch + control)
    kinds: list[tuple[int, Kind]] = [(item, "steered") for item in range(n_items)]
    kinds += [(item, "identical") for item in extra[:catch]] + [(item, "random") for item in extra[catch:]]
    drawn.shuffle(kinds)
    return [Comparison(item, kind, drawn.random() < 0.5) for item, kind in kinds]


def conclude(ratings: Sequence[Rating]) -> Conclusion:
    """What the answers of all raters show; ties are counted and not decided.

    The interval is exact (Clopper-Pearson) for one rater, and reduced to what answers about one prompt are
    worth where several raters answered (Korn and Graubard).
    """
    inattentive = {name for name in {r.rater for r in ratings} if _is_inattentive(ratings, name)}
    kept = [r for r in ratings if r.rater not in inattentive]
    steered = [r for r in kept if r.kind == "steered"]
    decided = [r for r in steered if r.answer != "tie"]
    catch = [r for r in ratings if r.kind == "identical"]
    pushed = [r for r in kept if r.kind == "random" and r.answer != "tie"]
    return Conclusion(
        metric=_metric(decided, len(steered)),
        decided=len(decided),
        ties=len(steered) - len(decided),
        raters=len({r.rater for r in kept}),
        false_alarms=float(np.mean([r.answer != "tie" for r in catch])) if catch else None,
        random_wins=float(np.mean([r.chose_pushed for r in pushed])) if pushed else None,
        agreement=_agreement(steered),
        left_out=len(inattentive),
    )


def _metric(decided: Sequence[Rating], compared: int) -> Metric:
    clusters = [str(r.item) for r in decided]
    sample = Sample.of(clusters, "suite")
    won = np.array([r.chose_pushed for r in decided], dtype=bool)
    value = float(won.mean()) if decided else None
    if len(decided) < MIN_COMPARISONS:
        reason = (
            f"{len(decided)} of {compared} comparisons were decided; {MIN_COMPARISONS} are needed, since ten "
            "cannot tell a good vector from chance."
        )
        return Metric(BLIND, "insufficient", reason, sample, value)
    one_each = len(set(clusters)) == len(clusters)
    interval = clopper_pearson(int(won.sum()), len(won)) if one_each else clustered_proportion(won, clusters)
    verdict = judged(passes=interval[0] > 0.5, fails=interval[1] < 0.5)
    reason = (
        f"The steered reply won {int(won.sum())} of {len(won)} decided comparisons; the bounds are "
        f"{interval[0]:.0%} and {interval[1]:.0%}."
    )
    return Metric(BLIND, verdict, reason, sample, value, interval)


def _is_inattentive(ratings: Sequence[Rating], rater: str) -> bool:
    seen = [r.answer != "tie" for r in ratings if r.rater == rater and r.kind == "identical"]
    return len(seen) >= 2 and sum(seen) > MAX_FALSE_ALARMS * len(seen)


def _agreement(steered: Sequence[Rating]) -> float | None:
    """Cohen's kappa between the two raters who answered most of the same items.

    Source: Cohen, Educational and Psychological Measurement 20 (1960), 37-46.
    """
    by_rater: dict[str, dict[int, str]] = {}
    for r in steered:
        by_rater.setdefault(r.rater, {})[r.item] = "tie" if r.answer == "tie" else str(r.chose_pushed)
    names = sorted(by_rater)
    couples = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    if not couples:
        return None
    first, second = max(couples, key=lambda c: len(by_rater[c[0]].keys() & by_rater[c[1]].keys()))
    common = by_rater[first].keys() & by_rater[second].keys()
    if not common:
        return None
    answers = [(by_rater[first][item], by_rater[second][item]) for item in common]
    same = float(np.mean([a == b for a, b in answers]))
    n, labels = len(answers), {label for couple in answers for label in couple}
    chance = sum(
        sum(a == label for a, _ in answers) * sum(b == label for _, b in answers) / n**2 for label in labels
    )
    return 1.0 if chance == 1 else (same - chance) / (1 - chance)
