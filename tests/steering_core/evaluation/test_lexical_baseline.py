from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.evaluation import lexical_baseline
from steering_core.evaluation.axis import Axis
from steering_core.evaluation.ranking import Projections
from steering_core.pairs.pair import ContrastivePair

WORDS = st.lists(st.sampled_from("abcdef"), max_size=8)


def as_choices(pairs):
    """The replies as options of a question, in turn the positive one (A) and (B)."""
    found = []
    for i, pair in enumerate(pairs):
        one, other = (pair.positive, pair.negative) if i % 2 == 0 else (pair.negative, pair.positive)
        letters = ("(A)", "(B)") if i % 2 == 0 else ("(B)", "(A)")
        prompt = f"{pair.prompt}\n (A) {one}\n (B) {other}"
        found.append(replace(pair, prompt=prompt, positive=letters[0], negative=letters[1]))
    return found


@pytest.mark.parametrize(
    ("axis", "pooling", "verdict"),
    [("formality", "response_mean", "pass"), ("warmth", "next_turn", "warn")],
)
def test_length_of_the_answers_warns_where_one_pole_is_longer(subject_of, axis, pooling, verdict):
    subject = subject_of(axis, n_pairs=200, pooling=pooling)
    found = lexical_baseline.length(Axis.of(subject))

    assert found.verdict == verdict
    assert 0.5 <= found.value <= 1


def test_length_pairs_that_only_add_words_cannot_be_told_from_length(subject_of):
    longer = [
        replace(pair, positive=pair.negative + 4 * " then clean it now .", negative=pair.negative)
        for pair in subject_of().pairs
    ]
    found = lexical_baseline.length(Axis.of(subject_of(pairs=longer)))

    assert (found.verdict, found.value > 0.7) == ("insufficient", True)
    assert "100% of the pairs differ only by words" in found.reason


def test_leakage_d_prime_without_length_stays_for_a_trait_that_is_more(subject_of):
    subject = subject_of("warmth", n_pairs=200, pooling="next_turn")
    found = lexical_baseline.leakage(Axis.of(subject))

    assert (found.verdict, found.beside[1] > 1.5) == ("warn", True)


def test_leakage_letters_are_looked_at_in_choices_alone(subject_of):
    choices = subject_of(pairs=as_choices(subject_of().pairs), pooling="answer_token")
    found = [set(lexical_baseline.correlations(Axis.of(s))) for s in (subject_of(), choices)]

    assert found == [{"log length"}, {"log length", "letter A"}]


@pytest.mark.parametrize(("axis", "value"), [("formality", 1.0), ("alphabetical", 0.5)])
def test_words_alone_know_marker_words_and_no_order(subject_of, axis, value):
    found, facts = lexical_baseline.words(Axis.of(subject_of(axis)), 0.9)

    assert found.value == pytest.approx(value, abs=0.02)
    assert found.verdict == ("warn" if value > 0.9 else "pass")
    assert facts["bag_of_words_auroc"] == pytest.approx(found.value, abs=1e-6)


def test_duplicates_text_of_train_in_test_fails(subject_of):
    pairs = list(subject_of().pairs)
    twins = [replace(pair, negative=f"well . {pair.negative}", group="") for pair in pairs]
    shared = lexical_baseline.duplicates(Axis.of(subject_of(pairs=pairs + twins)))
    clean = lexical_baseline.duplicates(Axis.of(subject_of()))

    assert (clean.verdict, clean.value) == ("pass", 0)
    assert (shared.verdict, shared.value > 0) == ("fail", True)


@pytest.mark.parametrize(
    ("positive", "negative", "nested"),
    [("a b c", "a c", True), ("c", "a c", True), ("a b", "b a c", False), ("a b", "a b", False)],
)
def test_is_nested_only_where_words_are_added_in_order(positive, negative, nested):
    assert lexical_baseline.is_nested(ContrastivePair(positive, negative)) is nested


@given(WORDS, st.lists(st.tuples(st.integers(0, 8), st.sampled_from("abcdef")), min_size=1, max_size=4))
def test_is_nested_any_added_words_are_seen(words, added):
    longer = list(words)
    for at, word in added:
        longer.insert(at, word)

    assert lexical_baseline.is_nested(ContrastivePair(" ".join(longer), " ".join(words)))


def test_without_planted_confound_leaves_the_trait():
    rng = np.random.default_rng(0)
    confound = Projections(rng.standard_normal(2000) + 1, rng.standard_normal(2000))
    noise = [0.1 * rng.standard_normal(2000) for _ in range(2)]
    scores = Projections(1 + 3 * confound.positive + noise[0], 3 * confound.negative + noise[1])
    found = lexical_baseline.without(scores, confound)

    assert found.positive.mean() - found.negative.mean() == pytest.approx(1, abs=0.02)
    assert np.corrcoef(found.positive, confound.positive)[0, 1] == pytest.approx(0, abs=0.05)
