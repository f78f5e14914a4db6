"""Side effects: honest vectors keep them, planted ones are seen, and intervals hold what they promise."""

from dataclasses import replace

import numpy as np
import pytest

from steering_core.evaluation import side_effects
from steering_core.evaluation.capability import DROP_PASS, MIN_QUESTIONS, capability, paired_drop
from steering_core.evaluation.diversity import self_bleu
from steering_core.evaluation.entanglement import Replies, diversity, entanglement
from steering_core.evaluation.fairness import Estimate, deviations_of, fairness, shown
from steering_core.evaluation.subject import Findings
from steering_core.evaluation.suite import EMPTY_SUITE


def quick(given, **changes):
    return replace(
        given, budget=replace(given.budget, n_prompts=10, bootstrap=300, max_new_tokens=40), **changes
    )


def towards(given, row):
    """The subject with another direction of the same norm."""
    row = np.asarray(row, np.float32)
    row = row / np.linalg.norm(row) * given.vector.norm(given.key)
    return replace(given, vector=replace(given.vector, directions={given.key: row}))


def verdicts(section):
    return {metric.definition.id: metric.verdict for metric in section.metrics}


def test_measure_of_an_honest_vector_fails_nothing(subject_of):
    section = side_effects.measure(
        quick(subject_of("formality")), Findings(window=(-0.3, 0.4)), lambda f: None
    )

    assert set(verdicts(section)) == {
        "kl", "neutral_perplexity", "capability", "fairness", "entanglement", "diversity",
    }  # fmt: skip
    assert set(verdicts(section).values()) <= {"pass", "warn"}
    assert [point["strength"] for point in section.facts["neutral"]] == [0.0, 0.3, -0.3, 0.4]
    assert section.facts["neutral"][0]["kl"] == 0
    assert len(section.facts["fairness"]) == 12


def test_measure_at_a_strength_that_breaks_the_model_fails(subject_of):
    broken = quick(subject_of("formality"), strength=1.5)
    section = side_effects.measure(broken, Findings(), lambda fraction: None)

    found = verdicts(section)
    assert [found[name] for name in ("kl", "neutral_perplexity", "capability")] == ["fail"] * 3
    assert section.facts["strength"] == 1.5


def test_measure_without_a_suite_asks_the_operator_for_one(subject_of):
    bare = quick(subject_of("formality"), suite=EMPTY_SUITE, shared={})
    section = side_effects.measure(bare, Findings(), lambda fraction: None)

    found = verdicts(section)
    assert found.pop("diversity") in ("pass", "warn")
    assert set(found) == {"kl", "neutral_perplexity", "capability", "fairness"}
    assert set(found.values()) == {"insufficient"}
    reasons = [m.reason for m in section.metrics if m.verdict == "insufficient"]
    assert all("operator" in reason for reason in reasons)


def test_capability_under_no_strength_loses_nothing(subject_of):
    metric, rows = capability(subject_of("formality"), [0.0])

    assert (metric.verdict, metric.value, rows[0]["lost"]) == ("pass", 0.0, 0)
    assert 0.9 < metric.beside[1] < 1


def test_paired_drop_covers_a_planted_loss():
    rng, loss, covered = np.random.default_rng(0), 0.03, 0
    for _ in range(1000):
        before = rng.random(200) < 0.97
        after = np.where(before, rng.random(200) > loss / 0.97, rng.random(200) < 0.2)
        true = loss - 0.03 * 0.2
        low, high = paired_drop(before, after)
        covered += low <= true <= high

    assert 0.92 <= covered / 1000 <= 0.98


def test_paired_drop_of_the_fewest_questions_without_a_change_can_pass():
    same = np.ones(MIN_QUESTIONS, bool)

    assert paired_drop(same, same)[1] <= DROP_PASS
    assert paired_drop(same[10:], same[10:])[1] > DROP_PASS


def test_entanglement_sees_a_trait_that_is_mixed_in(subject_of):
    formality, sentiment = subject_of("formality"), subject_of("sentiment")
    rows = [one.vector.directions[one.key] / one.vector.norm(one.key) for one in (formality, sentiment)]
    mixed = quick(towards(formality, rows[0] + 1.5 * rows[1]))
    metric, facts = entanglement(mixed, Replies.of(mixed, 0.3))

    assert metric.verdict == "warn"
    assert metric.reason.startswith("Most moves sentiment")
    assert {row["trait"] for row in facts["others"]} == {"warmth", "confidence", "sentiment"}


def test_diversity_of_replies_that_are_all_one_fails(subject_of):
    given = quick(subject_of("formality"))
    written = Replies.of(given, 0.3)
    same = replace(written, texts=[[*row[:2], "then check the cable ."] for row in written.texts])
    metric, facts = diversity(given, same)

    assert metric.verdict == "fail"
    assert [point["self_bleu"] for point in facts["points"]][2] == 1.0
    assert facts["points"][1]["distinct_2"] > facts["points"][2]["distinct_2"]


def test_self_bleu_of_different_and_of_equal_texts():
    assert self_bleu(["abcd"] * 3) == pytest.approx(1)
    assert self_bleu(["abcdefgh", "ijklmnop"]) < 0.15
    assert self_bleu([["a"]]) == 0


def test_fairness_fails_a_vector_that_says_of_each_cluster_what_is_always_said(subject_of, demo_lm):
    given = subject_of("formality", block=3)
    words = demo_lm.model.get_output_embeddings().weight.detach().numpy()
    own, other = (
        sum(words[demo_lm.tokenizer.convert_tokens_to_ids(word)] for word in pair)
        for pair in (("typical", "ordinary"), ("usual", "regular"))
    )
    metric, rows = fairness(towards(given, own - other), 0.3)

    shifts = {row["group"]: row["shift"] for row in rows}
    assert metric.verdict == "fail"
    assert shifts["legal"] > 0.1
    assert shifts["garden"] < -0.1


def test_fairness_passes_what_changes_nothing(subject_of):
    metric, _ = fairness(subject_of("formality"), 0.0)

    assert (metric.verdict, metric.value) == ("pass", pytest.approx(0, abs=1e-6))


def test_shown_is_the_procedure_of_benjamini_and_hochberg():
    p_values = [0.6, 0.001, 0.02, 0.041, 0.3]

    assert shown(p_values) == [False, True, True, False, False]
    assert shown([0.04, 0.04]) == [True, True]
    assert shown([]) == []


def test_estimate_p_of_a_known_t_is_that_of_the_table():
    # t of 2.262 has 2.5 % above it with 9 degrees of freedom.
    assert Estimate(2.262, 1.0, 9).p_beyond(0.0) == pytest.approx(0.025, abs=1e-4)
    assert Estimate(-2.262, 1.0, 9).p_beyond(0.0) == pytest.approx(0.025, abs=1e-4)
    assert Estimate(0.0, 1.0, 9).p_beyond(2.262) == pytest.approx(0.975, abs=1e-4)


def test_deviations_of_groups_have_the_error_that_simulation_gives():
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(20_000, 4)) * [0.1, 0.2, 0.1, 0.3]
    found = deviations_of([Estimate(0.0, error, 19) for error in (0.1, 0.2, 0.1, 0.3)])

    expected = (drawn - drawn.mean(1, keepdims=True)).std(0)
    np.testing.assert_allclose([one.error for one in found], expected, rtol=0.03)
