from dataclasses import replace

import numpy as np
import pytest

from steering_core.evaluation import steerability
from steering_core.evaluation.cost import counted
from steering_core.evaluation.evidence import MIN_ITEMS, Resampling
from steering_core.evaluation.letter_bias import explained, letter_bias
from steering_core.evaluation.steerability import Curves
from steering_core.evaluation.subject import Findings

STRENGTHS = np.array([-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3])
RESAMPLING = Resampling(500, 0)


def measure(subject):
    section = steerability.measure(subject, Findings(), lambda done: None)
    return {m.definition.id: m for m in section.metrics}, section.facts


def few(subject, n_items=16):
    return replace(subject, budget=replace(subject.budget, n_items=n_items))


def judged(preference):
    """What is said of curves given by hand, each item a cluster of its own."""
    curves = Curves(STRENGTHS, preference, [], [f"g{i}" for i in range(len(preference))])
    return {m.definition.id: m for m in steerability._metrics(curves, RESAMPLING, None)}


def as_choices(pairs, positive_letters):
    """The replies as options of a question; letters in turn say which is the positive one."""
    found = []
    for i, pair in enumerate(pairs):
        letter = positive_letters[i % len(positive_letters)]
        one, other = (pair.positive, pair.negative) if letter == "A" else (pair.negative, pair.positive)
        answers = ("(A)", "(B)") if letter == "A" else ("(B)", "(A)")
        prompt = f"{pair.prompt}\n (A) {one}\n (B) {other}"
        found.append(replace(pair, prompt=prompt, positive=answers[0], negative=answers[1]))
    return found


@pytest.fixture(scope="module")
def balanced(subject_of):
    """Choices with either letter as often the positive answer."""
    return subject_of(pairs=as_choices(subject_of().pairs, "AB"), pooling="answer_token")


def test_measure_honest_vector_moves_what_the_model_prefers(subject_of):
    found, facts = measure(few(subject_of()))

    assert {m.verdict for name, m in found.items() if m.definition.gate == "causal"} == {"pass"}
    means = [point["mean"] for point in facts["curve"]]
    assert means == sorted(means)
    assert facts["like_length"]["n"] > 0
    assert "letter_bias" not in found


def test_measure_turned_vector_fails(subject_of):
    subject = subject_of()
    found, _ = measure(few(replace(subject, vector=-subject.vector)))

    assert (found["steerability"].verdict, found["anti_steerable"].verdict) == ("fail", "fail")


def test_measure_strengths_are_rows_of_one_call(subject_of):
    subject = few(subject_of(), 4)

    with counted(subject.lm) as cost:
        measure(subject)

    assert cost.forward_rows == 4 * 2 * len(STRENGTHS)
    assert subject_of().budget.n_items == 48


def test_measure_pairs_without_prompts_are_insufficient(subject_of):
    pairs = [replace(pair, prompt="") for pair in subject_of().pairs]
    found, _ = measure(subject_of(pairs=pairs, pooling="prompt_last"))

    assert {m.verdict for m in found.values()} == {"insufficient"}
    assert "no prompts" in found["steerability"].reason


def test_measure_twelve_pairs_are_insufficient_and_say_how_many_would_do(subject_of):
    found, _ = measure(subject_of(n_pairs=12))
    slope = found["steerability"]

    assert {m.verdict for m in found.values()} == {"insufficient"}
    assert slope.needed * slope.sample.n / 12 >= MIN_ITEMS
    assert slope.value is not None


@pytest.mark.parametrize(("slope", "verdict"), [(2.0, "pass"), (-2.0, "fail"), (0.0, "warn")])
def test_slope_that_was_planted_comes_back(slope, verdict):
    noise = np.random.default_rng(0).standard_normal((24, 7)) / 100
    found = judged(slope * STRENGTHS + noise)["steerability"]

    assert (found.verdict, found.value) == (verdict, pytest.approx(slope, abs=0.05))


@pytest.mark.parametrize(("n_wrong", "verdict"), [(0, "pass"), (8, "pass"), (16, "warn"), (48, "fail")])
def test_anti_steerable_share_and_its_bound_decide(n_wrong, verdict):
    slope = np.where(np.arange(96) < n_wrong, -1.0, 1.0)
    found = judged(slope[:, None] * STRENGTHS)["anti_steerable"]

    assert (found.value, found.verdict, found.beside[1]) == (n_wrong / 96, verdict, n_wrong / 96)


def test_linearity_of_a_hinge_is_low_and_its_sides_are_told():
    hinge = np.tile(np.maximum(0, np.abs(STRENGTHS) - 0.15), (16, 1))
    found = judged(hinge + 1e-3 * np.random.default_rng(0).standard_normal((16, 7)))["linearity"]
    line = judged(np.tile(STRENGTHS, (16, 1)) * np.linspace(1, 2, 16)[:, None])["linearity"]

    assert (found.verdict, line.verdict, line.value) == ("warn", "pass", pytest.approx(1))
    assert found.value < 0.1


@pytest.mark.parametrize(("power", "value"), [(1, 1.0), (3, 1.0), (2, 0.0)])
def test_monotonicity_ranks_alone_count(power, value):
    found = judged(np.tile(np.round(STRENGTHS**power, 9), (12, 1)))["monotonicity"]

    assert found.value == pytest.approx(value, abs=1e-9)


def test_steadiness_and_flips_of_planted_items():
    slope = np.tile([1.0, 3.0], 20)
    found = judged(slope[:, None] * STRENGTHS + np.where(slope == 1.0, 0.5, 0.0)[:, None])

    assert found["steadiness"].value == pytest.approx(2.0)
    assert found["flip_rate"].value == 0.5


@pytest.mark.parametrize(
    ("slopes", "verdict"),
    [({"A": 1.0, "B": 1.2}, "pass"), ({"A": 1.0, "B": 0.3}, "warn"), ({"A": 1.0, "B": -0.8}, "fail")],
)
def test_letter_bias_follows_the_difference_between_letters(balanced, slopes, verdict):
    chosen = list(balanced.data.test)
    per_item = np.array([slopes[balanced.pairs[i].positive[1]] for i in chosen])
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(chosen))
    found, by_letter = letter_bias(balanced, chosen, per_item + noise)

    assert found.verdict == verdict
    assert {row["letter"]: row["slope"] for row in by_letter} == pytest.approx(slopes, abs=0.02)


def test_letter_bias_of_one_letter_alone_fails_though_steering_works(subject_of):
    subject = subject_of(pairs=as_choices(subject_of().pairs, "A"), pooling="answer_token")
    found, _ = measure(few(subject, 10))

    assert (found["steerability"].verdict, found["letter_bias"].verdict) == ("pass", "fail")
    assert "A in 100% of the train pairs" in found["letter_bias"].reason


def test_letter_bias_of_balanced_letters_is_reported_where_the_model_reads_the_letter(balanced):
    found, facts = measure(few(balanced))

    assert (found["letter_bias"].verdict, found["letter_bias"].definition.gate) == ("fail", "reliability")
    assert list(found)[:3] == ["steerability", "letter_bias", "anti_steerable"]
    assert facts["by_letter"][0]["slope"] * facts["by_letter"][1]["slope"] < 0


def test_letter_bias_of_too_few_items_says_how_many_pairs_would_do(subject_of):
    subject = subject_of(pairs=as_choices(subject_of().pairs[:16], "AB"), pooling="answer_token")
    found, _ = letter_bias(subject, subject.data.test, np.ones(len(subject.data.test)))

    assert (found.verdict, found.needed > 16) == ("insufficient", True)


def test_explained_is_the_share_of_variance_between_groups():
    values = np.array([1.0, 1.0, 3.0, 3.0])

    assert explained("aabb", values) == 1.0
    assert explained("abab", values) == 0.0
    assert explained("aabb", np.ones(4)) == 0.0
