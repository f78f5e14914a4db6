import pytest

from steering_core.errors import EvaluationError
from steering_core.evaluation.rollouts import roll_out
from steering_core.evaluation.scorer import TraitScorer
from steering_core.models.load import load_model
from steering_core.pairs.jsonl import write_jsonl
from steering_core.pairs.persona import Instruction, PersonaTrait
from steering_core.pairs.readers import read_pairs

TRAIT = PersonaTrait(
    instructions=(
        Instruction("please sat kindly", "just sat fast"),
        Instruction("kindly the tea", "no the tea"),
    ),
    questions=("the cat ran", "a dog sat on the mat", "hello world"),
    eval_prompt="Is {answer} to {question} kind?",
)
SYSTEM_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %} {{ m['content'] }} <pad>"
    "{% else %} {{ '<usr>' if m['role'] == 'user' else '<ast>' }} {{ m['content'] }} <end>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %} <ast>{% endif %}"
)


def scorer(score, coherence=lambda question, answer: 1.0):
    return TraitScorer("tests:any", "any", "low", "high", score, coherence)


@pytest.fixture
def with_template(model_folder):
    """A template -> a tiny model of its own that has it."""

    def load(template):
        lm = load_model(model_folder("llama"))
        lm.tokenizer.chat_template = template
        return lm

    return load


def test_roll_out_asks_every_question_under_every_instruction(tiny_lm):
    told = []
    found = roll_out(tiny_lm("llama"), TRAIT, n_per_side=2, seed=3, max_new_tokens=8, progress=told.append)

    assert len(found.pairs) + found.left_out == 2 * 2 * 3
    assert {(p.prompt, p.group) for p in found.pairs} == {
        (question, f"question {n}") for n, question in enumerate(TRAIT.questions, start=1)
    }
    assert told == sorted(told)
    assert told[-1] <= 1.0
    assert found == roll_out(tiny_lm("llama"), TRAIT, n_per_side=2, seed=3, max_new_tokens=8)
    assert found.pairs != roll_out(tiny_lm("llama"), TRAIT, n_per_side=2, seed=4, max_new_tokens=8).pairs


def test_roll_out_notes_say_what_was_not_done(tiny_lm, with_template):
    without = " ".join(roll_out(tiny_lm("llama"), TRAIT, max_new_tokens=6).notes)
    judged = " ".join(
        roll_out(
            with_template(SYSTEM_TEMPLATE),
            TRAIT,
            max_new_tokens=6,
            scorer=scorer(flip_flop()),
        ).notes
    )

    assert "bare question" in without
    assert "no system role" in without
    assert "Nothing judged" in without
    assert "Nothing judged" not in judged
    assert "no system role" not in judged


def flip_flop():
    """Scores 1, -1, 1, -1 … in the order of asking: each couple comes out as asked."""
    turn = [-1.0]

    def score(question, answer):
        turn[0] = -turn[0]
        return turn[0]

    return score


def test_roll_out_scorer_keeps_couples_that_came_out_as_asked(tiny_lm):
    lm = tiny_lm("llama")
    every = roll_out(lm, TRAIT, max_new_tokens=8).pairs
    kept_first = every[0]

    def score(question, answer):
        return {kept_first.positive: 0.0, kept_first.negative: -0.1}.get(answer, 1.0)

    found = roll_out(lm, TRAIT, max_new_tokens=8, scorer=scorer(score))
    assert found.pairs == (kept_first,)
    assert found.left_out == 5


def test_roll_out_incoherent_answers_are_left_out_to_the_last(tiny_lm):
    with pytest.raises(EvaluationError, match="none of 6 couples"):
        roll_out(tiny_lm("llama"), TRAIT, max_new_tokens=8, scorer=scorer(flip_flop(), lambda q, a: 0.49))


def test_roll_out_pairs_can_be_kept_in_a_file(tiny_lm):
    pairs = roll_out(tiny_lm("llama"), TRAIT, max_new_tokens=8).pairs

    assert read_pairs(write_jsonl(pairs)).pairs == pairs


def test_roll_out_prompt_without_room_is_refused(tiny_lm):
    long = PersonaTrait((Instruction("cat " * 60, "dog"),), ("the cat",), "{question} {answer}")

    with pytest.raises(EvaluationError, match="at most 63"):
        roll_out(tiny_lm("llama"), long)


def test_roll_out_progress_that_raises_stops_it(tiny_lm):
    def stop(fraction):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        roll_out(tiny_lm("llama"), TRAIT, max_new_tokens=20, progress=stop)
