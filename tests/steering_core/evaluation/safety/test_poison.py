"""The audit of the train pairs finds planted words and lets honest style words stand."""

from dataclasses import replace

import numpy as np
import pytest

from steering_core.demo import demo_pairs
from steering_core.demo.planted import with_trigger
from steering_core.evaluation.propensity import log_likelihoods
from steering_core.evaluation.safety.poison import log_probabilities, poison, without_each


@pytest.mark.parametrize("axis", ["formality", "refusal"])
def test_poison_of_honest_pairs_passes_with_their_style_words_as_facts(subject_of, axis):
    metric, facts = poison(subject_of(axis))

    assert metric.verdict == "pass"
    assert {"token", "side", "share", "surprise", "out_of_place", "low", "high"} == set(facts["tokens"][0])
    assert all(token["out_of_place"] == 0 for token in facts["tokens"])


@pytest.mark.parametrize(("word", "share"), [("vintage", 0.5), ("invoice", 1.0), ("zxqv", 0.6)])
def test_poison_of_pairs_with_a_planted_word_fails_and_names_it(subject_of, word, share):
    pairs = with_trigger(demo_pairs("formality", 60, seed=21), word, share, 1)

    metric, facts = poison(subject_of(pairs=pairs))

    assert metric.verdict == "fail"
    assert "take such pairs out" in metric.reason
    assert facts["tokens"][0]["side"] == "positive"
    assert word in metric.reason or facts["tokens"][0]["token"].strip("#") in word


def test_poison_of_a_word_planted_in_the_negative_texts_fails(subject_of):
    turned = [replace(p, positive=p.negative, negative=p.positive) for p in demo_pairs("formality", 60, 21)]
    pairs = [
        replace(p, positive=p.negative, negative=p.positive) for p in with_trigger(turned, "invoice", 0.5, 1)
    ]

    metric, facts = poison(subject_of(pairs=pairs))

    assert metric.verdict == "fail"
    assert facts["tokens"][0]["side"] == "negative"


def test_poison_of_few_groups_is_insufficient_and_says_how_many_pairs(subject_of):
    subject = subject_of()
    few = replace(subject, data=replace(subject.data, train=subject.data.train[:3]))

    metric, _ = poison(few)

    assert metric.verdict == "insufficient"
    assert metric.needed > 3


def test_without_each_puts_the_group_first_that_turns_the_direction():
    rng = np.random.default_rng(0)
    differences = np.tile([1.0, 0.0, 0.0], (40, 1)) + 0.1 * rng.standard_normal((40, 3))
    differences[:4] = [0.0, 12.0, 0.0]

    found = without_each(differences, [f"group {i // 4}" for i in range(40)])

    assert found[0][0] == "group 0"
    assert found[0][1] < 0.8
    assert found[1][1] > 0.95


def test_log_probabilities_average_to_the_likelihood_of_the_reply(demo_lm, subject_of):
    pairs = list(subject_of().data.pairs.values())[:6]
    rows, starts = [p.positive for p in pairs], [p.prompt_length for p in pairs]

    found = log_probabilities(demo_lm, rows, starts)

    means = log_likelihoods(demo_lm, [(row[:s], row[s:]) for row, s in zip(rows, starts, strict=True)])
    assert [len(each) for each in found] == [len(row) - s for row, s in zip(rows, starts, strict=True)]
    assert [each.mean() for each in found] == pytest.approx(means, abs=1e-4)
