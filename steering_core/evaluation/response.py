"""Dose and response: the score at every strength on held-out prompts, and how whole the text stays."""

from steering_core.evaluation.dose import (
    CONTROL_STRENGTH,
    Reply,
    Response,
    generated_response,
    propensity_response,
    replies,
)
from steering_core.evaluation.evidence import Definition, Metric, Sample, Section, judged, rounded, too_few
from steering_core.evaluation.statistics import Interval
from steering_core.evaluation.subject import Findings, Subject, Tell

WINDOW_PASS, WINDOW_FAIL = 0.3, 0.1
COHERENCE_KEPT = {"log_prob": 0.9}
COHERENCE_KEPT_DEFAULT = 0.95
SAMPLE_PROMPTS = 4
SAMPLE_PROMPTS_UNSCORED = 2

COHERENCE = Definition(
    "coherence",
    "side_effects",
    "Does the text stay whole?",
    "Coherence at ±0.3, from 0 to 1",
    f"passes if the window reaches ±{WINDOW_PASS}; fails if it does not reach ±{WINDOW_FAIL}",
)


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """The curve, the window of measured strengths, samples to read. Sets `found.response` and `.window`."""
    if not subject.has_prompts or not subject.data.test:
        reason = "The pairs have no prompts, so replies cannot be compared."
        return Section((Metric(COHERENCE, "insufficient", reason, Sample(0, 0, "test")),))
    response, written = _respond(subject, tell)
    found.response, found.window = response, find_window(response)
    facts = {
        "score": subject.scorer.label if subject.scorer else response.score,
        "n_prompts": len(response.scores),
        "points": _points(subject, response),
        "window": list(found.window) if found.window else None,
        "samples": [{"prompt": r.prompt, "strength": r.strength, "text": r.text} for r in written],
    }
    return Section((_coherence(subject, response, found.window),), facts)


def _respond(subject: Subject, tell: Tell) -> tuple[Response, list[Reply]]:
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
        return response, _listed(prompts[:SAMPLE_PROMPTS], strengths, texts)
    _, items, clusters = subject.test_items(subject.budget.n_items)
    response = propensity_response(
        subject.lm, subject.place, strengths, additions, items, clusters, lambda f: tell(0.8 * f)
    )
    few = prompts[:SAMPLE_PROMPTS_UNSCORED]
    texts = replies(subject.lm, subject.place, few, additions, max_new_tokens=tokens, seed=seed)
    return response, _listed(few, strengths, texts)


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


def _coherence(subject: Subject, response: Response, window: Interval | None) -> Metric:
    """Coherence at ±0.3 beside coherence without steering; the verdict is how far the window reaches."""
    unsteered = response.coherence[:, response.strengths.index(0.0)]
    ends = [response.strengths.index(s) for s in (-CONTROL_STRENGTH, CONTROL_STRENGTH)]
    steered = response.coherence[:, ends].mean(1)
    beside = ("without steering", float(unsteered.mean()))
    sample, value = Sample.of(response.clusters), float(steered.mean())
    interval = subject.resampling.over(response.clusters).mean(steered)
    if reason := too_few(response.clusters):
        return Metric(COHERENCE, "insufficient", reason, sample, value, interval, beside)
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


def _points(subject: Subject, response: Response) -> list[dict[str, float | None]]:
    bootstrap = subject.resampling.over(response.clusters)
    points = []
    for column, strength in enumerate(response.strengths):
        scores = response.scores[:, column]
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


def _listed(prompts: list[str], strengths: tuple[float, ...], texts: list[list[str]]) -> list[Reply]:
    return [
        Reply(prompt, strength, text)
        for prompt, row in zip(prompts, texts, strict=False)
        for strength, text in zip(strengths, row, strict=True)
    ]
