"""The window: the strengths at which text stays whole, with both ends found by bisection, and whether the
vector does anything within them.

It starts from the strengths of the response. `degradation` says what whole means; safety and side effects are
then measured at the ends that are found here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from steering_core.evaluation.degradation import (
    CRITERIA,
    LIKELIHOOD,
    Bench,
    Criterion,
    Degradation,
    loss_of,
)
from steering_core.evaluation.dose import Response
from steering_core.evaluation.evidence import (
    MIN_ITEMS,
    Definition,
    Metric,
    Resampling,
    Sample,
    Section,
    judged,
    pairs_for,
    too_few,
)
from steering_core.evaluation.statistics import Interval
from steering_core.evaluation.subject import Findings, Subject, Tell

WINDOW_PASS, WINDOW_FAIL = 0.3, 0.1
RATIO_PASS, RATIO_FAIL = 1.5, 1.0
# Sets of replies per end: one at the outermost strength that the response found whole, then three more.
SETS = 4
RESOLUTION = 0.05

WINDOW = Definition(
    "window",
    "side_effects",
    "How far can it be turned?",
    "The end of the window that is nearer to 0, in strengths",
    f"passes if both ends reach ±{WINDOW_PASS}; fails if one does not reach ±{WINDOW_FAIL}",
)
THERAPEUTIC_RATIO = Definition(
    "therapeutic_ratio",
    "reliability",
    "Does it work before the text breaks?",
    "End of the window over the smallest strength with an effect, on the better side",
    f"passes if ≥ {RATIO_PASS} on both sides of 0; fails if < {RATIO_FAIL:g}, or no effect, on both",
)
ADVERTISED = Definition(
    "advertised_window",
    "side_effects",
    "Does it hold what its window promises?",
    "Degradation at the advertised ends, 1 is the outer limit",
    "passes if every criterion is within its inner limit at both advertised ends; fails if the lower bound "
    "of one is beyond its outer limit at one of them",
)
DEFINITIONS = (WINDOW, THERAPEUTIC_RATIO)


@dataclass(slots=True)
class _End:
    """The search for one end; strengths are sizes.

    Attributes:
        inner: measured strengths that the response found whole, rising.
        broken: the smallest known to be outside; None while there is none.
        limit: what puts `broken` outside.
        whole: the largest that was tried and is not outside; 0 needs no trial.
    """

    sign: int
    inner: list[float]
    broken: float | None
    limit: str
    whole: float = 0.0

    @property
    def probe(self) -> float | None:
        """The next to try: from the measured strengths inwards until one is whole, then halfway."""
        if not self.whole and self.inner:
            return self.inner[-1]
        if self.broken is None or self.broken - self.whole <= RESOLUTION:
            return None
        return round((self.whole + self.broken) / 2, 2)

    def take(self, probe: float, point: Degradation) -> None:
        """What a probe has shown."""
        if point.outside:
            self.broken, self.limit = probe, point.limit.label
            self.inner = [size for size in self.inner if size < probe]
        else:
            self.whole = probe


@dataclass(frozen=True, slots=True)
class _Search:
    """Both ends, and every point that was tried, by strength."""

    ends: tuple[_End, _End]
    points: dict[float, Degradation] = field(default_factory=dict)

    @property
    def window(self) -> Interval | None:
        """None where neither end leaves 0."""
        low, high = (end.sign * end.whole for end in self.ends)
        return (low or 0.0, high) if low < high else None


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """The refined window and what it is worth. Sets `found.window`."""
    response, asked = found.response, DEFINITIONS + ((ADVERTISED,) if subject.advertised else ())
    if response is None:
        reason = "No response was measured, so there is nothing to refine; give pairs with prompts."
        return Section(tuple(Metric(d, "insufficient", reason, Sample(0, 0, "test")) for d in asked))
    if reason := too_few(response.clusters) or "":
        needed = pairs_for(MIN_ITEMS, len(response.clusters), len(subject.pairs))
        sample = Sample.of(response.clusters)
        return Section(tuple(Metric(d, "insufficient", reason, sample, needed=needed) for d in asked))
    bench = Bench(subject)
    search = _Search(
        (_grid_end(response, -1, subject.resampling), _grid_end(response, 1, subject.resampling))
    )
    _refine(search, bench, subject.advertised or (), tell)
    found.window = search.window
    smallest = {sign: min_effect(response, sign, subject.resampling) for sign in (-1, 1)}
    sample = Sample.of(bench.clusters)
    metrics = [_window(search, sample), _therapeutic_ratio(search, smallest, Sample.of(response.clusters))]
    if subject.advertised:
        metrics.append(_advertised([search.points[s] for s in subject.advertised], sample))
    return Section(tuple(metrics), _facts(search, bench, smallest))


def min_effect(response: Response, sign: int, resampling: Resampling) -> float | None:
    """The smallest measured strength of one sign whose gain is shown to be above 0; None where none is."""
    bootstrap = resampling.over(response.clusters)
    for strength in sorted((s for s in response.strengths if s * sign > 0), key=abs):
        gain = sign * (response.at(strength) - response.at(0.0))
        if bootstrap.mean(gain)[0] > 0:
            return strength
    return None


def _grid_end(response: Response, sign: int, resampling: Resampling) -> _End:
    """The outermost measured strength before one at which coherence is outside its limits.

    A point that is a little low by chance does not end the window: it has to be shown, or far below.
    """
    criterion = _coherence(response.score)
    bootstrap, zero = resampling.over(response.clusters), response.strengths.index(0.0)
    whole: list[float] = []
    for strength in sorted((s for s in response.strengths if s * sign > 0), key=abs):
        column = response.strengths.index(strength)
        loss = loss_of(criterion, response.coherence[:, column], response.coherence[:, zero], bootstrap)
        if loss is None or loss.outside:
            return _End(sign, whole, abs(strength), criterion.label)
        whole.append(abs(strength))
    return _End(sign, whole, None, "")


def _coherence(score: str) -> Criterion:
    return LIKELIHOOD if score == "log_prob" else next(c for c in CRITERIA if c.id == "coherence")


def _refine(search: _Search, bench: Bench, also: Sequence[float], tell: Tell) -> None:
    """Try both ends at once, and with the first set strength 0 and the advertised ends."""
    for step in range(SETS):
        probes = {end.sign * end.probe: end for end in search.ends if end.probe is not None}
        wanted = list(dict.fromkeys([*(() if step else (0.0, *also)), *probes]))
        if not wanted:
            break
        for strength, point in zip(wanted, bench.at(wanted), strict=True):
            search.points[strength] = point
            if strength in probes:
                probes[strength].take(abs(strength), point)
        tell((step + 1) / SETS)


def _window(search: _Search, sample: Sample) -> Metric:
    window, (low, high) = search.window, search.ends
    reach = min(low.whole, high.whole)
    told = f"It goes from {window[0]:g} to {window[1]:g}" if window else "There is none"
    limits = [
        f"at {end.sign * end.broken:g} by the {end.limit}" for end in search.ends if end.broken is not None
    ]
    ended = f"; it ends {' and '.join(limits)}" if limits else "; nothing beyond was tried"
    return Metric(
        WINDOW,
        judged(passes=reach >= WINDOW_PASS, fails=reach < WINDOW_FAIL),
        f"{told}{ended}.",
        sample,
        reach,
    )


def _therapeutic_ratio(search: _Search, smallest: dict[int, float | None], sample: Sample) -> Metric:
    ratios = {}
    for end in search.ends:
        effect = smallest[end.sign]
        ratios[end.sign] = end.whole / abs(effect) if effect else 0.0
    better = max(ratios.values())
    told = [
        f"{name} 0 the window ends at {end.sign * end.whole:g} and "
        + (f"effects start at {effect:g}" if (effect := smallest[end.sign]) else "no effect was shown")
        for name, end in zip(("below", "above"), search.ends, strict=True)
    ]
    return Metric(
        THERAPEUTIC_RATIO,
        judged(passes=min(ratios.values()) >= RATIO_PASS, fails=better < RATIO_FAIL),
        f"{'; '.join(told)}.".capitalize(),
        sample,
        better,
        beside=("on the other side", min(ratios.values())),
    )


def _advertised(points: Sequence[Degradation], sample: Sample) -> Metric:
    worst = max(points, key=lambda point: point.limit.excess)
    limit = worst.limit
    return Metric(
        ADVERTISED,
        judged(passes=all(point.within for point in points), fails=any(point.broken for point in points)),
        f"At {worst.strength:g} the {limit.label} is worse by {limit.value:.2f}, where "
        f"{limit.criterion.inner:.2g} is allowed and {limit.criterion.outer:.2g} is the outer limit.",
        sample,
        limit.excess,
        (limit.interval[0] / limit.criterion.outer, limit.interval[1] / limit.criterion.outer),
    )


def _facts(search: _Search, bench: Bench, smallest: dict[int, float | None]) -> dict[str, Any]:
    measured = {loss.criterion.id for loss in search.points[0.0].losses}
    return {
        "window": list(search.window) if search.window else None,
        "min_effect": {"negative": smallest[-1], "positive": smallest[1]},
        "n_prompts": len(bench.prompts),
        "criteria": [
            {"id": c.id, "label": c.label, "loss": c.loss, "inner": c.inner, "outer": c.outer}
            for c in CRITERIA
            if c.id in measured
        ],
        "curve": [search.points[strength].to_json() for strength in sorted(search.points)],
    }
