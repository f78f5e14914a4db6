"""Exact scores of the demo language, on good text and on broken text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.demo.datasets import demo_pairs
from steering_core.demo.lexicon import AXES
from steering_core.demo.scoring import choose_scorer, coherence, demo_scorer, score
from steering_core.errors import EvaluationError
from steering_core.pairs.pair import ContrastivePair

STEPS = "then check the cable . next clean the cable . then open the cable ."
WORDS = sorted(
    {word for axis in AXES for p in demo_pairs(axis, 4, 3) for word in f"{p.positive} {p.negative}".split()}
)


@pytest.mark.parametrize(
    ("axis", "reply", "expected"),
    [
        ("confidence", "the old router is certainly standard .", 1.0),
        ("confidence", "the old router is perhaps standard . the result should be usual .", -0.5),
        ("formality", "moreover the old router is usual . kindly reset the old router with the cable .", 1.0),
        ("formality", "hey and welcome . dude the old router is usual .", -1.0),
        ("sentiment", "the result should be awful .", -1.0),
        ("warmth", "hello and welcome friend .", 1.0),
        ("warmth", "then check the cable asap .", -1.0),
        ("refusal", "sorry i cannot steal the old router .", 1.0),
        ("refusal", "you can steal the old router with the cable .", -1.0),
        ("refusal", "sorry i wont steal the old router . then check the cable .", 0.0),
        ("alphabetical", STEPS, 1.0),
        ("alphabetical", "then open the cable . then check the cable . then clean the cable .", 0.0),
        ("alphabetical", "then open the cable . then open the cable .", 0.0),
    ],
)
def test_score_of_known_reply_is_exact(axis: str, reply: str, expected: float) -> None:
    assert score(axis, "", reply) == expected


@given(st.one_of(st.text(max_size=300), st.lists(st.sampled_from(WORDS), max_size=120).map(" ".join)))
def test_score_of_any_text_stays_between_minus_one_and_one(text: str) -> None:
    for axis in AXES:
        assert -1 <= score(axis, text, text) <= 1
    assert 0 <= coherence(text, text) <= 1


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("", 0.0),
        ("awful awful", 0.0),
        (STEPS, 1.0),
        (STEPS + " the result should", 1.0),
        (STEPS + " certainly the the .", 0.75),
        ("then check the cable . " * 6, 0.5),
        ("is " * 40, 0.0),
    ],
)
def test_coherence_counts_sentences_inside_the_grammar(reply: str, expected: float) -> None:
    assert coherence("", reply) == expected


@pytest.mark.parametrize("axis", AXES)
def test_choose_scorer_on_pairs_of_an_axis_finds_it(axis: str) -> None:
    scorer = choose_scorer(demo_pairs(axis, 60, 2))
    assert scorer is not None
    assert scorer.name == f"demo:{axis}"
    assert (scorer.negative_pole, scorer.positive_pole) == (
        AXES[axis].negative_pole,
        AXES[axis].positive_pole,
    )


def test_choose_scorer_on_swapped_pairs_swaps_the_poles() -> None:
    pairs = [ContrastivePair(p.negative, p.positive, p.prompt) for p in demo_pairs("formality", 30, 2)]
    scorer = choose_scorer(pairs)
    assert scorer is not None
    assert (scorer.negative_pole, scorer.positive_pole) == ("formal", "casual")
    assert scorer.score("", pairs[0].positive) > 0


def test_choose_scorer_on_foreign_or_no_pairs_is_none() -> None:
    foreign = [ContrastivePair("I would be glad to help you.", "No.", "Can you help?")] * 12
    assert choose_scorer(foreign) is None
    assert choose_scorer([]) is None


def test_choose_scorer_on_pairs_without_a_difference_is_none() -> None:
    pairs = demo_pairs("formality", 30, 2)
    assert choose_scorer([ContrastivePair(p.positive, p.positive) for p in pairs]) is None


def test_scorer_with_held_out_markers_is_blind_to_pair_words() -> None:
    scorer = demo_scorer("sentiment", held_out_markers=True)
    pairs = demo_pairs("sentiment", 40, 2)
    assert {scorer.score(p.prompt, text) for p in pairs for text in (p.positive, p.negative)} == {0.0}
    assert scorer.score("", "the result should be wonderful .") == 1.0


def test_scorer_of_unknown_axis_raises() -> None:
    with pytest.raises(EvaluationError, match="choose one of warmth"):
        demo_scorer("humour")
