from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from steering_core.evaluation import prompting, response
from steering_core.evaluation.cost import counted
from steering_core.evaluation.prompting import measure
from steering_core.evaluation.subject import Findings


def silent(fraction: float) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def quick(subject_of: Any) -> Any:
    """Changes -> a subject with a curve of three strengths; budgets by name."""

    def make(n_prompts: int = 12, **changes: Any) -> Any:
        subject = subject_of(n_pairs=200)
        budget = replace(
            subject.budget, strengths=(-0.3, 0.0, 0.3), n_prompts=n_prompts, n_items=10, max_new_tokens=32
        )
        return replace(subject, budget=budget, shared={}, **changes)

    return make


def found_for(subject: Any) -> Findings:
    """Findings with the response of the subject and nothing else."""
    return Findings(response=response._respond(subject, silent)[0])


def judge(section: Any) -> Any:
    return section.metrics[0]


def instructed(subject: Any, *instructions: tuple[str, str]) -> Any:
    return replace(subject, scorer=replace(subject.scorer, instructions=instructions))


@pytest.fixture(scope="module")
def honest(quick: Any) -> Any:
    """A subject, what was found of it, and its section."""
    subject = quick()
    found = found_for(subject)
    return subject, found, measure(subject, found, silent)


def test_measure_system_prompt_of_the_demo_model_reaches_both_poles(honest: Any) -> None:
    _, _, section = honest
    bars = section.facts["bars"]

    assert set(bars) == {"steer", "prompt", "few_shot", "both"}
    assert bars["prompt"]["low"] > 1.0
    assert bars["few_shot"]["low"] > 1.0
    assert bars["steer"]["low"] > 0.5
    assert section.facts["tokens_added"] == {
        "prompt": 5.0,
        "few_shot": section.facts["tokens_added"]["few_shot"],
    }
    assert section.facts["tokens_added"]["few_shot"] > 100


def test_measure_compares_with_the_best_way_of_asking_on_the_same_prompts(honest: Any) -> None:
    _, found, section = honest
    bars, metric = section.facts["bars"], judge(section)
    best = max(("prompt", "few_shot"), key=lambda name: bars[name]["mean"])

    assert section.facts["best"] == best
    assert metric.value == pytest.approx(bars["steer"]["mean"] - bars[best]["mean"], abs=1e-5)
    assert bars["steer"]["mean"] == pytest.approx((found.response.at(0.3) - found.response.at(-0.3)).mean())
    assert metric.sample.n == 12


def test_measure_vector_that_does_nothing_loses_and_the_sentence_says_so(honest: Any) -> None:
    subject, found, _ = honest
    still = replace(found.response, scores=np.zeros_like(found.response.scores))

    metric = judge(measure(subject, Findings(response=still), silent))

    assert metric.verdict == "warn"
    assert "more than this vector" in metric.reason
    assert metric.interval[1] < 0


def test_measure_asks_once_for_all_vectors_of_the_same_pairs(honest: Any) -> None:
    subject, found, first = honest
    with counted(subject.lm) as again:
        second = measure(subject, found, silent)

    assert again.forward_rows == 2 * 12
    assert second.facts["bars"] == first.facts["bars"]


def test_measure_prompt_that_asks_for_nothing_loses(
    quick: Any, monkeypatch: pytest.MonkeyPatch, honest: Any
) -> None:
    monkeypatch.setattr(prompting, "examples_for", lambda *given: None)
    _, found, _ = honest

    section = measure(instructed(quick(), ("be .", "be .")), found, silent)

    assert section.facts["bars"]["prompt"]["mean"] == 0.0
    assert section.facts["bars"]["few_shot"] is None
    assert judge(section).verdict == "pass"
    assert judge(section).reason.startswith("Steering does more than the best prompt:")


def test_measure_of_several_instructions_takes_the_one_that_works_on_select(
    quick: Any, monkeypatch: pytest.MonkeyPatch, honest: Any
) -> None:
    monkeypatch.setattr(prompting, "examples_for", lambda *given: None)
    monkeypatch.setattr(prompting, "SELECT_PROMPTS", 4)
    right = honest[0].scorer.instructions[0]
    subject = instructed(quick(), right[::-1], right)

    section = measure(subject, honest[1], silent)

    assert section.facts["instruction"] == list(right)


def test_measure_without_scorer_compares_preferences(quick: Any) -> None:
    subject = quick(n_prompts=8, scorer=None)
    found = Findings()
    found.response = response._respond(subject, silent)[0]

    section = measure(subject, found, silent)
    bars = section.facts["bars"]

    assert bars["prompt"] is None
    assert bars["few_shot"]["low"] > 0
    assert bars["both"]["mean"] > bars["few_shot"]["mean"]
    assert section.facts["best"] == "few_shot"
    assert section.facts["n_prompts"] == 8


def test_measure_of_few_prompts_gives_numbers_without_a_verdict(quick: Any) -> None:
    subject = quick(n_prompts=3)

    metric = judge(measure(subject, found_for(subject), silent))

    assert metric.verdict == "insufficient"
    assert metric.reason.startswith("Too few prompts to say which does more: steering ")
    assert metric.value is not None
    assert metric.needed > len(subject.pairs) * 3 / 12


def test_measure_where_a_prompt_has_no_room_is_insufficient(quick: Any, honest: Any) -> None:
    subject = quick()
    short = replace(subject, lm=replace(subject.lm, max_positions=40))

    metric = judge(measure(short, honest[1], silent))

    assert metric.verdict == "insufficient"
    assert "no room" in metric.reason


def test_measure_without_a_response_says_why(quick: Any) -> None:
    metric = judge(measure(quick(), Findings(), silent))

    assert metric.verdict == "insufficient"
    assert metric.reason == "Steering was not compared with a prompt: the pairs have no prompts."
