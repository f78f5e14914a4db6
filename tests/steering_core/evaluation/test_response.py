from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from steering_core.evaluation.agreement import Seen, scorers_agree, seen_by
from steering_core.evaluation.composite import composite, relevance
from steering_core.evaluation.curve import isotonic_r2, spearman
from steering_core.evaluation.dose import Response
from steering_core.evaluation.evidence import Resampling, Sample
from steering_core.evaluation.judges import FunctionJudge
from steering_core.evaluation.response import coherence, find_window, gain, gain_share, measure, monotone
from steering_core.evaluation.subject import Findings

STRENGTHS = (-0.6, -0.3, -0.1, 0.0, 0.1, 0.3, 0.6)
GROUPS = tuple(f"g{i % 8}" for i in range(24))
WHOLE = (0.5, 1, 1, 1, 1, 1, 0.9)
RESAMPLING = Resampling(500, 0)
QUICK = (-0.3, -0.1, 0.0, 0.1, 0.3)


def curve(slope: float = 2.0, coherent: Any = WHOLE, n: int = 24, base: float = 0.0) -> Response:
    rng = np.random.default_rng(0)
    noise = (0.02 if slope else 0) * rng.standard_normal((n, 7))
    return Response(
        score="demo:formality",
        strengths=STRENGTHS,
        clusters=GROUPS[:n],
        scores=base + slope * np.array(STRENGTHS) + noise,
        coherence=np.tile(np.array(coherent, float), (n, 1)),
    )


@pytest.fixture(scope="module")
def quick(subject_of: Any) -> Any:
    """Changes -> a subject whose curve has five strengths."""

    def make(**changes: Any) -> Any:
        subject = subject_of(n_pairs=200)
        budget = replace(subject.budget, strengths=QUICK, n_prompts=24, n_items=10, max_new_tokens=48)
        return replace(subject, budget=budget, **changes)

    return make


def turned(subject: Any, direction: Any) -> Any:
    """The same vector with another direction of the same length."""
    own = subject.vector.directions[subject.key]
    scaled = (direction * np.linalg.norm(own) / np.linalg.norm(direction)).astype(np.float32)
    return replace(subject, vector=replace(subject.vector, directions={subject.key: scaled}))


def verdicts(section: Any) -> dict[str, str]:
    return {metric.definition.id: metric.verdict for metric in section.metrics}


@pytest.mark.parametrize(
    ("coherent", "window", "verdict"),
    [
        (WHOLE, (-0.3, 0.3), "pass"),
        ((1, 1, 1, 1, 1, 0.9, 1), (-0.6, 0.1), "warn"),
        ((1, 1, 0.9, 1, 0.9, 1, 1), None, "fail"),
        ((0, 0, 0, 0, 0, 0, 0), None, "fail"),
    ],
)
def test_coherence_window_is_the_widest_run_around_zero(
    quick: Any, coherent: Any, window: Any, verdict: str
) -> None:
    given = curve(coherent=coherent)

    assert find_window(given) == window
    assert coherence(quick(), given, find_window(given)).verdict == verdict


def test_find_window_ends_at_measured_strengths_and_is_not_given_for_a_few_items() -> None:
    assert find_window(curve(coherent=(1, 1, 1, 1, 1, 1, 1))) == (STRENGTHS[0], STRENGTHS[-1])
    assert find_window(curve(n=6)) is None


def test_coherence_is_the_share_itself_beside_that_without_steering(quick: Any) -> None:
    given = curve(coherent=(0.5, 0.97, 1, 0.95, 1, 0.99, 0.9))

    found = coherence(quick(), given, find_window(given)).to_json()

    assert (found["value"], found["low"], found["high"]) == (0.98, 0.98, 0.98)
    assert found["beside"] == {"label": "without steering", "value": 0.95}


def test_spearman_counts_order_alone_and_ties_at_their_mean_rank() -> None:
    strengths = np.array([-0.3, -0.1, 0.0, 0.1, 0.3])

    assert spearman(strengths, np.exp(9 * strengths)) == pytest.approx(1.0)
    assert spearman(strengths, -strengths) == pytest.approx(-1.0)
    assert spearman(strengths, np.ones(5)) == 0.0
    # Ranks 0.5 0.5 2 3 4 against 0 1 2 3 4.
    assert spearman(strengths, np.array([1.0, 1, 2, 3, 4])) == pytest.approx(9.5 / np.sqrt(9.5 * 10))


def test_isotonic_r2_takes_away_what_falls() -> None:
    assert isotonic_r2(np.array([0.0, 1, 2, 2, 5])) == pytest.approx(1.0)
    assert isotonic_r2(np.array([3.0, 2, 1])) == 0.0
    # Pools 3 and 1 to 2 2: an error of 2 of a total of 14.
    assert isotonic_r2(np.array([0.0, 3, 1, 5])) == pytest.approx(1 - 2 / 14.75)


@pytest.mark.parametrize(("slope", "verdict"), [(2.0, "pass"), (0.0, "fail"), (-2.0, "fail")])
def test_monotone_and_gain_follow_a_planted_slope(quick: Any, slope: float, verdict: str) -> None:
    given = curve(slope)

    rises, curve_facts = monotone(quick(), given, find_window(given))
    gained, gain_facts = gain(quick(), given)

    assert (rises.verdict, gained.verdict) == (verdict, verdict)
    assert rises.value == pytest.approx(np.sign(slope), abs=1e-9)
    assert gained.value == pytest.approx(0.3 * slope, abs=0.02)
    assert curve_facts["strengths"] == [-0.3, -0.1, 0.0, 0.1, 0.3]
    assert gain_facts["of_headroom"] == pytest.approx(0.3 * slope, abs=0.02)


def test_gain_of_a_model_that_is_there_already_is_not_a_failure(quick: Any) -> None:
    assert gain(quick(), curve(0.0, base=1.0))[0].verdict == "warn"
    assert gain(quick(), curve(0.0, base=0.5))[0].verdict == "fail"


@pytest.mark.parametrize(
    ("rising", "falling", "verdict"), [(20, 0, "pass"), (12, 8, "warn"), (3, 17, "fail"), (4, 0, "warn")]
)
def test_gain_share_counts_the_prompts_that_change(
    quick: Any, rising: int, falling: int, verdict: str
) -> None:
    given = curve(0.0)
    given.scores[:, STRENGTHS.index(0.3)] += [1] * rising + [-1] * falling + [0] * (24 - rising - falling)

    found = gain_share(quick(), given)

    assert (found.verdict, found.value) == (verdict, rising / (rising + falling))
    assert f"rises for {rising}, falls for {falling} and stays for {4 if falling else 24 - rising}" in (
        found.reason
    )


@pytest.mark.parametrize("metric", [gain_share, lambda *given: gain(*given)[0]])
def test_few_items_keep_their_value_and_say_how_many_pairs_would_do(quick: Any, metric: Any) -> None:
    found = metric(quick(), curve(n=6))

    assert (found.verdict, found.value is not None) == ("insufficient", True)
    assert found.needed is not None
    assert found.needed > 200


def seen(name: str, low: float, high: float) -> Seen:
    judge = FunctionJudge(name, name, lambda written: np.zeros(len(written)))
    return Seen(judge, (low + high) / 2, (low, high), (0.0, 0.0, 0.0), 0)


@pytest.mark.parametrize(
    ("families", "verdict"),
    [
        ([("scorer", 0.1, 1), ("log_prob", 0.1, 1), ("probe", -1, 2)], "pass"),
        ([("log_prob", 0.1, 1), ("probe", 0.1, 1)], "pass"),
        ([("scorer", 0.1, 1), ("log_prob", -1, 2), ("probe", -1, 2)], "warn"),
        ([("scorer", 0.1, 1), ("log_prob", 0.1, 1), ("probe", -2, -1)], "warn"),
        ([("scorer", 0.1, 1), ("log_prob", -2, -1), ("probe", -2, -1)], "fail"),
        ([("scorer", -0.2, 0.1), ("log_prob", 0.1, 1), ("probe", 0.1, 1)], "fail"),
        ([("scorer", 0.1, 1)], "insufficient"),
    ],
)
def test_scorers_agree_needs_two_families(families: Any, verdict: str) -> None:
    found = scorers_agree([seen(*family) for family in families], Sample.of(GROUPS), GROUPS, 100)

    assert found.verdict == verdict


def test_seen_by_missing_reply_counts_as_no_change() -> None:
    judge = FunctionJudge("length", "length", lambda written: np.array([float(len(t)) for _, t in written]))
    prompts, clusters = ["a", "b"], ["a", "b"]
    texts = {-0.3: ["x", "x"], 0.0: ["xx", "xx"], 0.3: ["xxx", " "]}

    found = seen_by(judge, prompts, texts, clusters, RESAMPLING)

    assert (found.change, found.missing, found.means) == (1.0, 1, (1.0, 2.0, 3.0))


def test_relevance_is_the_share_of_the_words_that_are_a_prompts_own() -> None:
    prompts = [f"how do i reset the old {item} ?" for item in ("router", "kettle", "drone", "piano")]
    texts = [["the thing is done", f"take the {item}"] for item in ("router", "kettle", "drone", "lamp")]

    found = relevance(prompts, texts, zero=0)

    assert found.tolist() == [[0, 1], [0, 1], [0, 1], [0, 0]]


def test_composite_of_a_trait_without_an_answer_is_zero() -> None:
    prompts = [f"reset the {item}{n} now" for n, item in enumerate(["router", "kettle", "drone"] * 8)]
    drowned = [["lovely lovely" if s > 0.1 else f"take {p.split()[2]}" for s in STRENGTHS] for p in prompts]

    given = replace(curve(coherent=(1,) * 7), clusters=tuple(prompts))
    metric, facts = composite(given, prompts, drowned, RESAMPLING)

    assert facts["strength"] == 0.1
    assert facts["instruction"] == 2.0
    assert metric.verdict == "pass"
    assert metric.value == pytest.approx(3 / (1 / 1.2 + 1 / 2 + 1 / 2), abs=0.02)


def test_measure_honest_vector_passes_by_every_scorer(quick: Any) -> None:
    found = Findings()

    section = measure(quick(), found, lambda fraction: None)

    passing = {"coherence", "monotone", "gain", "gain_share", "scorers_agree"}
    assert {name: verdicts(section)[name] for name in passing} == dict.fromkeys(passing, "pass")
    assert {one["id"] for one in section.facts["scorers"]} == {"scorer", "log_prob", "probe"}
    assert all(one["low"] > 0 for one in section.facts["scorers"])
    assert found.response is not None
    assert found.window == tuple(section.facts["window"])
    assert section.facts["samples"][0]["strength"] == -0.3


def test_measure_turned_round_vector_fails(quick: Any) -> None:
    subject = quick()
    backwards = turned(subject, -subject.vector.directions[subject.key])

    found = verdicts(measure(backwards, Findings(), lambda fraction: None))

    assert {name: found[name] for name in ("monotone", "gain", "scorers_agree")} == {
        "monotone": "fail",
        "gain": "fail",
        "scorers_agree": "fail",
    }


def test_measure_without_scorer_has_two_families_read_replies(quick: Any) -> None:
    found, subject = Findings(), quick(scorer=None)
    subject = replace(subject, budget=replace(subject.budget, n_prompts=8, max_new_tokens=32))

    section = measure(subject, found, lambda fraction: None)

    assert [one["id"] for one in section.facts["scorers"]] == ["log_prob", "probe"]
    assert verdicts(section)["scorers_agree"] == "pass"
    assert verdicts(section)["composite"] == "insufficient"
    assert {s["strength"] for s in section.facts["samples"]} == set(QUICK)
    assert found.response is not None
    assert found.response.score == "log_prob"


def test_measure_pairs_without_prompts_is_insufficient_with_what_to_do(quick: Any) -> None:
    subject = quick()
    bare = {i: replace(pair, prompt_length=0) for i, pair in subject.data.pairs.items()}

    section = measure(
        replace(subject, data=replace(subject.data, pairs=bare)), Findings(), lambda fraction: None
    )

    assert set(verdicts(section).values()) == {"insufficient"}
    assert all("give pairs with prompts" in metric.reason for metric in section.metrics)
