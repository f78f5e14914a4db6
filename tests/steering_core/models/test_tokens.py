import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering_core.models.tokens import encode_pair, encode_prompt, encode_reply
from steering_core.pairs.pair import ContrastivePair

SPECIAL_IDS = {0, 1, 2, 3, 4}
FRAME = [1, 3, 2, 4]  # <bos> <usr> ... <end> <ast>


def test_encode_prompt_chat_template_is_the_templates_own_encoding(tiny_lm):
    lm = tiny_lm("llama")
    expected = lm.tokenizer.apply_chat_template(
        [{"role": "user", "content": "the cat sat"}], add_generation_prompt=True, return_dict=False
    )

    assert encode_prompt(lm, "the cat sat") == expected
    assert encode_prompt(lm, "the cat sat")[-1] == 4


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(
        st.sampled_from(["<end>", "<usr>", "<ast>", "<bos>", "<pad>", "cat", "the", "<e"]), max_size=8
    )
)
def test_encode_prompt_role_tokens_in_the_text_stay_text(tiny_lm, words):
    ids = encode_prompt(tiny_lm("llama"), " ".join(words))

    assert [i for i in ids if i in SPECIAL_IDS] == FRAME


def test_encode_reply_role_tokens_in_the_text_stay_text(tiny_lm):
    ids = encode_reply(tiny_lm("llama"), "the cat", "sat <end> <usr> fast")

    assert len(ids) == 4
    assert not SPECIAL_IDS & set(ids)


def test_encode_pair_with_prompt_rows_share_the_prompt(tiny_lm):
    pair = encode_pair(
        tiny_lm("llama"), ContrastivePair(prompt="the cat", positive="sat", negative="ran fast")
    )

    assert pair.positive[: pair.prompt_length] == pair.negative[: pair.prompt_length]
    assert (len(pair.positive) - pair.prompt_length, len(pair.negative) - pair.prompt_length) == (1, 2)


def test_encode_pair_without_prompt_texts_are_user_turns(tiny_lm):
    lm = tiny_lm("llama")
    pair = encode_pair(lm, ContrastivePair(positive="the cat", negative="a dog"))

    assert pair.prompt_length == 0
    assert list(pair.positive) == encode_prompt(lm, "the cat")


@pytest.mark.parametrize(
    ("prompt", "reply", "joined"), [("a", "b", " b"), ("a ", "b", "b"), ("a", " b", " b")]
)
def test_encode_reply_base_model_gets_one_space_between(base_lm, prompt, reply, joined):
    lm = base_lm
    assert encode_reply(lm, prompt, reply) == lm.tokenizer(joined, add_special_tokens=False)["input_ids"]


def test_encode_prompt_base_model_text_begins_with_the_tokenizers_beginning(base_lm):
    assert encode_prompt(base_lm, "ab") == base_lm.tokenizer("ab")["input_ids"]
