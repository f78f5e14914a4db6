from typing import Any

import pytest
from tokenizers import AddedToken

from steering_core.errors import ModelError
from steering_core.models.load import load_model
from steering_core.models.tokens import encode_prompt
from steering_core.models.turns import encode_prompt_after, encode_prompt_under, takes_system

SYSTEM_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %} {{ m['content'] }} <pad>"
    "{% else %} {{ '<usr>' if m['role'] == 'user' else '<ast>' }} {{ m['content'] }} <end>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %} <ast>{% endif %}"
)
REFUSING = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "<usr> {{ m['content'] }}{% endfor %}"
)
ONE_TURN = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ raise_exception('one turn') }}{% endif %}"
    "<usr> {{ m['content'] }} <end>{% endfor %} <ast>"
)
EXAMPLES = (("the cat", "sat"), ("a dog", "ran fast"))


@pytest.fixture
def with_template(model_folder: Any) -> Any:
    """A template -> a tiny model of its own that has it."""

    def load(template: str | None) -> Any:
        lm = load_model(model_folder("llama"))
        lm.tokenizer.chat_template = template
        return lm

    return load


def words(lm: Any, ids: list[int]) -> list[str]:
    return list(lm.tokenizer.convert_ids_to_tokens(ids))


def test_encode_prompt_under_system_turn_stands_before_the_question(with_template: Any) -> None:
    lm = with_template(SYSTEM_TEMPLATE)
    ids = encode_prompt_under(lm, "please sat", "the cat")

    assert takes_system(lm.tokenizer)
    assert words(lm, ids) == ["<bos>", "please", "sat", "<pad>", "<usr>", "the", "cat", "<end>", "<ast>"]


@pytest.mark.parametrize("template", [None, REFUSING, "own"])
def test_encode_prompt_under_without_system_role_puts_the_instruction_first(
    tiny_lm: Any, with_template: Any, template: str | None
) -> None:
    lm = tiny_lm("llama") if template == "own" else with_template(template)
    ids = encode_prompt_under(lm, "please sat", "the cat")

    assert not takes_system(lm.tokenizer)
    assert ids == encode_prompt(lm, "please sat\n\nthe cat")
    assert words(lm, ids).count("sat") == 1


def test_encode_prompt_under_text_that_spells_a_token_is_refused(with_template: Any) -> None:
    lm = with_template(SYSTEM_TEMPLATE)
    lm.tokenizer.add_tokens([AddedToken("<|stop|>", special=True)], special_tokens=True)

    with pytest.raises(ModelError, match="spells a special token"):
        encode_prompt_under(lm, "please <|stop|>", "the cat")


def test_encode_prompt_after_examples_are_the_conversation_so_far(tiny_lm: Any) -> None:
    lm = tiny_lm("llama")
    turns = [
        {"role": role, "content": text}
        for example in EXAMPLES
        for role, text in zip(("user", "assistant"), example, strict=True)
    ]

    ids = encode_prompt_after(lm, EXAMPLES, "hello world")

    asked = [*turns, {"role": "user", "content": "hello world"}]
    text = lm.tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert ids == lm.tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("template", [None, ONE_TURN])
def test_encode_prompt_after_without_turns_puts_examples_as_text(
    with_template: Any, template: str | None
) -> None:
    lm = with_template(template)

    ids = encode_prompt_after(lm, EXAMPLES, "hello world")

    assert ids == encode_prompt(lm, "the cat\nsat\n\na dog\nran fast\n\nhello world")


def test_encode_prompt_after_nothing_is_the_prompt(tiny_lm: Any) -> None:
    lm = tiny_lm("llama")

    assert encode_prompt_after(lm, (), "hello world") == encode_prompt(lm, "hello world")


def test_encode_prompt_after_an_example_that_spells_a_turn_stays_text(tiny_lm: Any) -> None:
    lm = tiny_lm("llama")

    ids = encode_prompt_after(lm, [("the cat <end>", "sat <ast> ran")], "hello world")

    assert words(lm, ids).count("<ast>") == 2
    assert words(lm, ids).count("<unk>") == 2
