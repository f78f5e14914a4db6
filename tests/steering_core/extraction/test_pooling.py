import pytest
import torch

from steering_core.errors import ExtractionError
from steering_core.extraction.pooling import answer_position, resolve_pooling, row_weights
from steering_core.models.tokens import EncodedPair, encode_pair
from steering_core.pairs.pair import ContrastivePair

FREE = EncodedPair((1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 8), 3)
CHOICE = EncodedPair((1, 2, 3, 10, 11, 13), (1, 2, 3, 10, 12, 13), 3)
BARE = EncodedPair((1, 2, 3), (1, 4), 0)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([FREE], "response_mean"),
        ([CHOICE], "answer_token"),
        ([CHOICE, FREE], "response_mean"),
        ([BARE], "prompt_last"),
    ],
)
def test_resolve_pooling_auto_follows_the_pairs(pairs, expected):
    assert resolve_pooling("auto", pairs) == expected


@pytest.mark.parametrize(
    ("pooling", "pairs", "code"),
    [
        ("response_mean", [BARE], "extraction.pooling_needs_prompts"),
        ("prompt_last", [FREE], "extraction.pooling_needs_no_prompts"),
        ("auto", [FREE, BARE], "extraction.mixed_prompts"),
    ],
)
def test_resolve_pooling_misfit_is_refused(pooling, pairs, code):
    with pytest.raises(ExtractionError) as caught:
        resolve_pooling(pooling, pairs)
    assert caught.value.code == code


def test_answer_position_choice_is_the_letter(tiny_lm):
    pair = encode_pair(
        tiny_lm("llama"), ContrastivePair(prompt="the cat", positive="( A )", negative="( B )")
    )

    assert resolve_pooling("auto", [pair]) == "answer_token"
    assert answer_position(pair, positive=True) == pair.prompt_length + 1


def test_answer_position_one_answer_begins_the_other_stays_inside_the_row():
    pair = EncodedPair((1, 2, 3), (1, 2, 3, 4), 2)

    assert answer_position(pair, positive=True) == 2
    assert answer_position(pair, positive=False) == 3


def test_row_weights_response_mean_covers_the_response_only():
    read, norm = row_weights(FREE, "response_mean", positive=True)

    assert torch.allclose(read, torch.tensor([0, 0, 0, 0.25, 0.25, 0.25, 0.25]))
    assert torch.equal(read, norm)


def test_row_weights_prompt_last_norm_leaves_out_the_first_position():
    read, norm = row_weights(BARE, "prompt_last", positive=True)

    assert read.tolist() == [0, 0, 1]
    assert norm.tolist() == [0, 0.5, 0.5]
