from dataclasses import replace

import numpy as np
import pytest

from steering_core.demo import demo_pairs
from steering_core.evaluation import robustness
from steering_core.evaluation.evidence import Sample
from steering_core.evaluation.robustness import CROSS_DOMAIN, domain_halves, measure
from steering_core.evaluation.subject import Findings


@pytest.fixture(autouse=True)
def few_items(monkeypatch):
    """Enough for a verdict."""
    monkeypatch.setattr(robustness, "SHIFT_ITEMS", 10)


def measured(subject):
    section = measure(subject, Findings(), lambda fraction: None)
    return {metric.definition.id: metric for metric in section.metrics}, section.facts


def relative(shifted, base, name="other"):
    clusters = [str(i) for i in range(12)]
    noise = 0.01 * np.random.default_rng(0).standard_normal((2, 12))
    found = robustness._Slopes(name, shifted + noise[0], base + noise[1], clusters)
    return robustness._Relative.of(found, robustness.Resampling(400, 0))


def verdict(*relatives):
    return robustness._judged(CROSS_DOMAIN, relatives, Sample(12, 12, "test"), "nothing")


@pytest.mark.parametrize(
    ("share", "expected"), [(1.3, "pass"), (0.6, "pass"), (0.4, "warn"), (0.1, "fail"), (-0.5, "fail")]
)
def test_judged_share_that_is_left_decides(share, expected):
    found = verdict(relative(share, 1.0), relative(2.0, 1.0))

    assert found.verdict == expected
    assert found.value == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("base", [0.0, -1.0])
def test_judged_without_an_effect_there_is_nothing_to_carry_over(base):
    found = verdict(relative(0.5, base))

    assert (found.verdict, found.reason, found.value) == ("insufficient", "nothing", None)


def test_measure_honest_vector_carries_over_to_domains_prompts_and_forms(subject_of):
    metrics, facts = measured(subject_of())

    assert {name: metric.verdict for name, metric in metrics.items()} == {
        "cross_domain": "pass",
        "prompt_shift": "pass",
        "format_shift": "pass",
    }
    assert [condition["name"] for condition in facts["conditions"]] == [
        "plain",
        "asked for the negative pole",
        "asked for the positive pole",
        "second turn",
        "words around the question",
    ]
    preference = {condition["name"]: condition["preference"] for condition in facts["conditions"]}
    assert preference["asked for the negative pole"] < preference["asked for the positive pole"]


def test_across_domains_trait_that_differs_between_them_does_not_carry_over(subject_of):
    parts = [
        [replace(pair, domain=axis) for pair in demo_pairs(axis, 90, seed=5)]
        for axis in ("formality", "sentiment")
    ]
    subject = subject_of(pairs=parts[0] + parts[1])
    metric, rows = robustness._across_domains(subject, domain_halves(subject), lambda fraction: None)

    assert metric.verdict == "fail"
    assert {row["name"] for row in rows} == {"formality → sentiment", "sentiment → formality"}
    assert max(row["relative"] for row in rows) < 0.3


def test_measure_pairs_of_one_domain_go_by_forms_alone(subject_of):
    subject = subject_of()
    pairs = [replace(pair, domain="cooking") for pair in subject.pairs]
    metrics, facts = measured(replace(subject, pairs=pairs, scorer=None))

    assert list(metrics) == ["format_shift"]
    assert "domains" not in facts


def test_measure_few_items_are_insufficient_and_say_how_many_pairs_it_takes(subject_of):
    subject = subject_of()
    few = replace(subject, data=replace(subject.data, test=subject.data.test[:4]))
    metrics, _ = measured(few)

    assert {metric.verdict for metric in metrics.values()} == {"insufficient"}
    assert all(metric.needed >= 240 for metric in metrics.values())


def test_measure_pairs_without_prompts_are_insufficient(subject_of):
    subject = subject_of()
    bare = {i: replace(pair, prompt_length=0) for i, pair in subject.data.pairs.items()}
    metrics, _ = measured(replace(subject, data=replace(subject.data, pairs=bare)))

    assert [metric.verdict for metric in metrics.values()] == ["insufficient"]


def test_domain_halves_share_the_groups_evenly_and_nothing_twice(subject_of):
    subject = subject_of()
    halves = domain_halves(subject)
    named = [{subject.cluster(i) for i in subject.data.test if subject.pairs[i].domain in h} for h in halves]

    assert set(halves[0]) | set(halves[1]) == {subject.pairs[i].domain for i in subject.data.test}
    assert not set(halves[0]) & set(halves[1])
    assert abs(len(named[0]) - len(named[1])) <= 2
