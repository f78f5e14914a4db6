"""Dose and response: the score at every strength on held-out prompts, whether it rises, and for how many.

`dose` writes and scores the replies; `agreement` has other scorers read them, `composite` asks whether they
are still answers. The window found here is of measured strengths; a family of its own refines it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steering_core.evaluation.agreement import ENDS, SCORERS_AGREE, Seen, scorers_agree, seen_by
from steering_core.evaluation.composite import COMPOSITE, composite
from steering_core.evaluation.curve import isotonic_r2, spearman
from steering_core.evaluation.dose import (
    CONTROL_STRENGTH,
    Floats,
    Reply,
    Response,
    generated_response,
    propensity_response,
    replies,
)
from steering_core.evaluation.evidence import (
    MIN_ITEMS,
    Definition,
    Metric,
    Sample,
    Section,
    judged,
    pairs_for,
    rounded,
    too_few,
)
from steering_core.evaluation.judges import judges_for
from steering_core.evaluation.statistics import Interval, cluster_jackknife, clustered_proportion
from steering_core.evaluation.subject import Findings, Subject, Tell

WINDOW_PASS, WINDOW_FAIL = 0.3, 0.1
MONOTONE_PASS, MONOTONE_FAIL = 0.8, 0.5
GAIN_SHARE_PASS, GAIN_SHARE_LIMIT = 0.75, 0.5
COHERENCE_KEPT = {"log_prob": 0.9}
COHERENCE_KEPT_DEFAULT = 0.95
MIN_STRENGTHS = 5
# Below the top of a scorer's range; where the unsteered model is as good as there, nothing can be gained.
LEAST_ROOM = 0.1
SAMPLE_PROMPTS = 4
SAMPLE_PROMPTS_UNSCORED = 2

COHERENCE = Definition(
    "coherence",
    "side_effects",
    "Does the text stay whole?",
    "Coherence at ±0.3, from 0 to 1",
    f"passes if the window reaches ±{WINDOW_PASS}; fails if it does not reach ±{WINDOW_FAIL}",
)
MONOTONE = Definition(
    "monotone",
    "reliability",
    "Does more strength give more of it?",
    "Rank correlation of strength and mean score within the window",
    f"passes if the value ≥ {MONOTONE_PASS} and the lower bound > {MONOTONE_FAIL}; fails if the upper bound "
    f"< {MONOTONE_FAIL}",
)
GAIN = Definition(
    "gain",
    "causal",
    "Does it raise the score over no steering?",
    "Score at the recommended strength minus score without steering",
    f"passes if the lower bound > 0; fails if the upper bound < 0, or is 0 where the score had room of "
    f"{LEAST_ROOM} to rise",
)
GAIN_SHARE = Definition(
    "gain_share",
    "reliability",
    "For how many prompts does it work?",
    "Share of the prompts that change at all whose score rises",
    f"passes if the share ≥ {GAIN_SHARE_PASS} and the lower bound > {GAIN_SHARE_LIMIT}; fails if the upper "
    f"bound < {GAIN_SHARE_LIMIT}",
)
DEFINITIONS = (COHERENCE, MONOTONE, GAIN, GAIN_SHARE, SCORERS_AGREE, COMPOSITE)


@dataclass(frozen=True, eq=False)
class _Written:
    """The replies of a response.

    Attributes:
        texts: by strength, one per prompt; a strength that only a few prompts were tried at has only those.
    """

    prompts: list[str]
    clusters: list[str]
    texts: Mapping[float, list[str]]

    def samples(self, most: int) -> list[Reply]:
        """Those to the first prompts, to read."""
        return [
            Reply(prompt, strength, written[i])
            for i, prompt in enumerate(self.prompts[:most])
            for strength, written in sorted(self.texts.items())
        ]


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """The curve, the window of measured strengths, samples to read. Sets `found.response` and `.window`."""
    if not subject.has_prompts or not subject.data.test:
        reason = "The pairs have no prompts, so replies cannot be compared; give pairs with prompts."
        return Section(tuple(Metric(d, "insufficient", reason, Sample(0, 0, "test")) for d in DEFINITIONS))
    response, written = _respond(subject, lambda fraction: tell(0.9 * fraction))
    found.response, found.window = response, find_window(response)
    gained, gain_facts = gain(subject, response)
    rises, rise_facts = monotone(subject, response, found.window)
    families = _seen(subject, written)
    whole, whole_facts = _composite(subject, response, written)
    metrics = (
        coherence(subject, response, found.window),
        rises,
        gained,
        gain_share(subject, response),
        scorers_agree(families, Sample.of(written.clusters), written.clusters, len(subject.pairs)),
        whole,
    )
    facts = {
        "score": subject.scorer.label if subject.scorer else response.score,
        "n_prompts": len(response.scores),
        "points": _points(subject, response),
        "window": list(found.window) if found.window else None,
        "samples": [
            {"prompt": r.prompt, "strength": r.strength, "text": r.text}
            for r in written.samples(SAMPLE_PROMPTS if subject.scorer else SAMPLE_PROMPTS_UNSCORED)
        ],
        "gain": gain_facts,
        "monotone": rise_facts,
        "scorers": [seen.to_json() for seen in families],
        "composite": whole_facts,
    }
    return Section(metrics, facts)


def find_window(response: Response) -> Interval | None:
    """The widest run of measured strengths around 0 that keeps coherence.

    None if that is 0 alone, and for too few items: strengths that were hardly tried are not promised.
    """
    if too_few(response.clusters):
        return None
    means = response.coherence.mean(0)
    zero = response.strengths.index(0.0)
    enough = (means >= kept(response.score) * means[zero]) & (means > 0)
    low = high = zero
    while low > 0 and enough[low - 1]:
        low -= 1
    while high < len(means) - 1 and enough[high + 1]:
        high += 1
    return (response.strengths[low], response.strengths[high]) if low < high and enough[zero] else None


def kept(score: str) -> float:
    """The share of coherence that must be kept; 0.9 for log_prob is a perplexity up by a ninth."""
    return COHERENCE_KEPT.get(score, COHERENCE_KEPT_DEFAULT)


def measured_strength(subject: Subject, response: Response) -> float:
    """The recommended strength or, where it was not measured with its opposite, the nearest that was."""
    wanted = CONTROL_STRENGTH if subject.strength is None else abs(subject.strength)
    both = [strength for strength in response.strengths if strength > 0 and -strength in response.strengths]
    return min(both, key=lambda strength: abs(strength - wanted))


def coherence(subject: Subject, response: Response, window: Interval | None) -> Metric:
    """Coherence at ±0.3 beside coherence without steering; the verdict is how far the window reaches."""
    unsteered = response.coherence[:, response.strengths.index(0.0)]
    ends = [response.strengths.index(s) for s in (-CONTROL_STRENGTH, CONTROL_STRENGTH)]
    steered = response.coherence[:, ends].mean(1)
    beside = ("without steering", float(unsteered.mean()))
    sample, value = Sample.of(response.clusters), float(steered.mean())
    interval = subject.resampling.over(response.clusters).mean(steered)
    if reason := too_few(response.clusters):
        needed = _needed(subject, response)
        return Metric(COHERENCE, "insufficient", reason, sample, value, interval, beside, needed)
    reach = min(-window[0], window[1]) if window else 0.0
    measured = f"it is {window[0]:g} to {window[1]:g}" if window else "there is none"
    return Metric(
        COHERENCE,
        judged(passes=reach >= WINDOW_PASS, fails=reach < WINDOW_FAIL),
        f"The window is the widest run of measured strengths around 0 that keep {kept(response.score)} of "
        f"the coherence without steering: {measured}.",
        sample,
        value,
        interval,
        beside,
    )


def monotone(subject: Subject, response: Response, window: Interval | None) -> tuple[Metric, dict[str, Any]]:
    """Over the window, or over ±0.3 where that has too few strengths: beyond it curves may turn."""
    low, high = window or (0.0, 0.0)
    columns = [i for i, s in enumerate(response.strengths) if low <= s <= high]
    if len(columns) < MIN_STRENGTHS:
        columns = [i for i, s in enumerate(response.strengths) if abs(s) <= CONTROL_STRENGTH]
    strengths = np.array([response.strengths[i] for i in columns])
    scores = response.scores[:, columns]
    value = spearman(strengths, scores.mean(0))
    r2 = isotonic_r2(scores.mean(0))
    facts = {"strengths": strengths.tolist(), "spearman": rounded(value), "isotonic_r2": rounded(r2)}
    sample, reason = Sample.of(response.clusters), too_few(response.clusters)
    if reason or len(columns) < MIN_STRENGTHS:
        few = f"{len(columns)} strengths were measured; a verdict needs {MIN_STRENGTHS}: use standard tier."
        needed = _needed(subject, response) if reason else None
        return Metric(MONOTONE, "insufficient", reason or few, sample, value, needed=needed), facts
    low, high = cluster_jackknife(response.clusters, lambda mask: spearman(strengths, scores[mask].mean(0)))
    interval = (max(low, -1.0), min(high, 1.0))
    metric = Metric(
        MONOTONE,
        judged(
            passes=value >= MONOTONE_PASS and interval[0] > MONOTONE_FAIL, fails=interval[1] < MONOTONE_FAIL
        ),
        f"Over {len(columns)} strengths from {strengths[0]:g} to {strengths[-1]:g}; a curve that never falls "
        f"explains {r2:.0%} of it.",
        sample,
        value,
        interval,
    )
    return metric, facts


def gain(subject: Subject, response: Response) -> tuple[Metric, dict[str, Any]]:
    """What the recommended strength adds to the score without steering, with its facts."""
    strength = measured_strength(subject, response)
    base, change = response.at(0.0), response.at(strength) - response.at(0.0)
    value, spread = float(change.mean()), float(base.std(ddof=1)) if len(base) > 1 else 0.0
    interval = subject.resampling.over(response.clusters).mean(change)
    room = None if subject.scorer is None else 1 - float(base.mean())
    facts = {
        "strength": strength,
        "value": rounded(value),
        "low": rounded(interval[0]),
        "high": rounded(interval[1]),
        "base": rounded(float(base.mean())),
        "standardised": rounded(value / spread) if spread else None,
        "of_headroom": rounded(value / room) if room else None,
        "per_prompt": [rounded(one) for one in change.tolist()],
    }
    sample, beside = Sample.of(response.clusters), ("without steering", float(base.mean()))
    if reason := too_few(response.clusters):
        needed = _needed(subject, response)
        return Metric(GAIN, "insufficient", reason, sample, value, interval, beside, needed), facts
    told = f"At strength {strength:g} the bounds are {interval[0]:.2f} and {interval[1]:.2f}"
    part = f", {value / room:.0%} of the room that is left above" if room else ""
    full = room is not None and room < LEAST_ROOM
    verdict = judged(passes=interval[0] > 0, fails=interval[1] < 0 or (interval[1] == 0 and not full))
    return Metric(GAIN, verdict, f"{told}{part}.", sample, value, interval, beside), facts


def gain_share(subject: Subject, response: Response) -> Metric:
    """A prompt whose score stays as it was says nothing of the direction; the reason counts them."""
    strength = measured_strength(subject, response)
    change = response.at(strength) - response.at(0.0)
    moved = np.flatnonzero(change)
    clusters = [response.clusters[i] for i in moved]
    rises, sample = change[moved] > 0, Sample.of(clusters)
    share = float(rises.mean()) if len(moved) else None
    counts = (
        f"At strength {strength:g}, of {len(change)} prompts the score rises for {int(rises.sum())}, falls "
        f"for {int((~rises).sum())} and stays for {len(change) - len(moved)}."
    )
    if reason := too_few(response.clusters):
        needed = _needed(subject, response)
        return Metric(GAIN_SHARE, "insufficient", reason, sample, share, needed=needed)
    if too_few(clusters):
        return Metric(GAIN_SHARE, "warn", f"{counts} Too few change to tell.", sample, share)
    low, high = clustered_proportion(rises, clusters)
    verdict = judged(
        passes=rises.mean() >= GAIN_SHARE_PASS and low > GAIN_SHARE_LIMIT, fails=high < GAIN_SHARE_LIMIT
    )
    return Metric(GAIN_SHARE, verdict, counts, sample, share, (low, high))


def _respond(subject: Subject, tell: Tell) -> tuple[Response, _Written]:
    strengths = subject.budget.strengths
    additions = subject.additions(strengths)
    tokens, seed = subject.budget.max_new_tokens, subject.seed("sampling")
    prompts, clusters = subject.test_prompts(subject.budget.n_prompts)
    if subject.scorer is not None:
        response, texts = generated_response(
            subject.lm,
            subject.place,
            strengths,
            additions,
            prompts,
            clusters,
            subject.scorer,
            max_new_tokens=tokens,
            seed=seed,
            progress=tell,
        )
        return response, _Written(prompts, clusters, _by_strength(strengths, texts))
    _, items, item_clusters = subject.test_items(subject.budget.n_items)
    response = propensity_response(
        subject.lm, subject.place, strengths, additions, items, item_clusters, lambda f: tell(0.5 * f)
    )
    others = [strength for strength in strengths if strength not in ENDS]
    written: dict[float, list[str]] = {}
    for few, tried in ((prompts, ENDS), (prompts[:SAMPLE_PROMPTS_UNSCORED], others)):
        if tried:
            pushed = subject.additions(tried)
            texts = replies(subject.lm, subject.place, few, pushed, max_new_tokens=tokens, seed=seed)
            written |= _by_strength(tried, texts)
    return response, _Written(prompts, clusters, written)


def _by_strength(strengths: Sequence[float], texts: Sequence[Sequence[str]]) -> dict[float, list[str]]:
    return {strength: [row[i] for row in texts] for i, strength in enumerate(strengths)}


def _seen(subject: Subject, written: _Written) -> list[Seen]:
    return [
        seen_by(judge, written.prompts, written.texts, written.clusters, subject.resampling)
        for judge in judges_for(subject, written.prompts)
    ]


def _composite(subject: Subject, response: Response, written: _Written) -> tuple[Metric, Mapping[str, Any]]:
    if subject.scorer is None:
        reason = "Without a scorer no reply has a score from 0 to 2; give one."
        return Metric(COMPOSITE, "insufficient", reason, Sample(0, 0, "test")), {}
    texts = list(zip(*(written.texts[strength] for strength in response.strengths), strict=True))
    return composite(response, written.prompts, texts, subject.resampling)


def _points(subject: Subject, response: Response) -> list[dict[str, float | None]]:
    bootstrap = subject.resampling.over(response.clusters)
    points = []
    for column, strength in enumerate(response.strengths):
        scores: Floats = response.scores[:, column]
        low, high = bootstrap.mean(scores)
        points.append(
            {
                "strength": strength,
                "multiplier": rounded(subject.vector.multiplier(strength, subject.key)),
                "mean": rounded(float(scores.mean())),
                "low": rounded(low),
                "high": rounded(high),
                "coherence": rounded(float(response.coherence[:, column].mean())),
            }
        )
    return points


def _needed(subject: Subject, response: Response) -> int | None:
    return pairs_for(MIN_ITEMS, len(response.clusters), len(subject.pairs))
