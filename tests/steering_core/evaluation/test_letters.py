import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.pairs.letters import are_choices, option, options
from steering_core.pairs.pair import ContrastivePair

LETTERS = st.sampled_from("ABCDEFGH")


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("(A)", "A"),
        (" (b) ", "B"),
        ("( C )", "C"),
        ("(A", "A"),
        ("A) yes, I do", "A"),
        ("B.", "B"),
        ("D: turn it off", "D"),
        ("e", "E"),
        (" Yes", "Yes"),
        ("No, I would not.", "No"),
        ("(A) Yes, that is fine", "A"),
    ],
)
def test_option_of_a_choice_is_its_letter(answer, letter):
    assert option(answer) == letter


@pytest.mark.parametrize(
    "answer", ["", "A dog", "No dogs allowed", "a.b", "(ab)", "I am", "e.g. this", "yesterday", "Nothing"]
)
def test_option_of_a_free_answer_is_none(answer):
    assert option(answer) is None


@given(
    LETTERS, st.sampled_from(["({})", "( {} )", "{})", "{}.", "{}:", "{}"]), st.sampled_from(["", " ", "\n"])
)
def test_option_every_form_gives_the_letter_in_either_case(letter, form, space):
    assert option(space + form.format(letter) + space) == letter
    assert option(space + form.format(letter.lower()) + space) == letter


@given(st.text(max_size=40))
def test_option_any_text_gives_a_known_option_or_none(text):
    found = option(text)

    assert found is None or found in ("Yes", "No") or (len(found) == 1 and found.isalpha())


def test_options_equal_or_free_answers_are_no_choice():
    pairs = [ContrastivePair("(A)", "(B)"), ContrastivePair("(A)", "(A) too"), ContrastivePair("(A)", "well")]

    assert options(pairs) == [("A", "B"), None, None]


@pytest.mark.parametrize(("n_free", "expected"), [(0, True), (2, True), (3, False)])
def test_are_choices_nine_in_ten_decide(n_free, expected):
    pairs = [ContrastivePair("(A)", "(B)")] * (20 - n_free) + [ContrastivePair("well", "badly")] * n_free

    assert are_choices(pairs) is expected


def test_are_choices_of_nothing_is_false():
    assert not are_choices([])
