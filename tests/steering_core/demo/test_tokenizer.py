"""The demo tokenizer: whole words for the language, pieces for any other text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from steering_core.demo.language import conversation, render
from steering_core.demo.lexicon import SPECIAL_TOKENS, vocabulary
from steering_core.demo.tokenizer import build_tokenizer

UNKNOWN = SPECIAL_TOKENS.index("<unk>")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


def test_special_tokens_have_the_first_ids(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.convert_ids_to_tokens(range(7)) == list(SPECIAL_TOKENS)
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)


def test_every_word_of_the_language_is_one_token(tokenizer: PreTrainedTokenizerFast) -> None:
    words = vocabulary()
    assert [len(ids) for ids in tokenizer(words, add_special_tokens=False)["input_ids"]] == [1] * len(words)


@pytest.mark.parametrize("index", range(20))
def test_chat_template_of_a_conversation_is_the_corpus_text(
    tokenizer: PreTrainedTokenizerFast, index: int
) -> None:
    messages = conversation(f"template/{index}")
    text = render(messages)
    assert tokenizer.apply_chat_template(messages, tokenize=False) == text
    ids = tokenizer.apply_chat_template(messages, return_dict=False)
    assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) == len(text.split())
    assert tokenizer.decode(ids) == text
    plain = " ".join(message["content"] for message in messages)
    assert tokenizer.decode(ids, skip_special_tokens=True) == plain


def test_generation_prompt_of_a_user_turn_is_the_start_of_the_whole(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    messages = conversation("template/1")
    first = [message for message in messages if message["role"] != "assistant"][:1]
    asked = tokenizer.apply_chat_template(first, tokenize=False, add_generation_prompt=True)
    assert asked == "<bos> <usr> " + first[0]["content"] + " <end> <ast>"
    assert render(messages).startswith(asked)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_encodes_without_unknown_tokens(text: str) -> None:
    tokenizer = build_tokenizer()
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert UNKNOWN not in ids


@pytest.mark.parametrize("text", ["Hello wörld", "日本 éa", "naïve café 🙂", "x" * 48])
def test_foreign_words_decode_to_their_lower_case(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids).replace(" ", "") == text.lower().replace(" ", "")
    assert len(ids) > 2


def test_long_run_without_spaces_is_cut_and_encoded(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer("é" * 5000, add_special_tokens=False)["input_ids"]
    assert len(ids) == 10_000
    assert UNKNOWN not in ids
