import numpy as np
import pytest
import torch

from steering_core.extraction.activations import collect_activations, length_batches, padded, pooled_batches
from steering_core.models.blocks import base_model
from steering_core.models.tokens import encode_pair
from steering_core.pairs.pair import ContrastivePair

TEXTS = [
    ("the cat", "sat on the mat", "ran"),
    ("a", "yes kindly", "no"),
    ("dog sat on a mat", "tea", "cup sky the"),
]


def encoded(lm):
    return [encode_pair(lm, ContrastivePair(prompt=p, positive=a, negative=b)) for p, a, b in TEXTS]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_neox", "qwen3", "mistral", "gemma2"])
@pytest.mark.parametrize("pooling", ["response_mean", "answer_token"])
def test_collect_activations_batch_of_one_equals_batch_of_many(tiny_lm, kind, pooling):
    lm = tiny_lm(kind)
    pairs = encoded(lm)
    together = collect_activations(lm, pairs, pooling)
    alone = [collect_activations(lm, [pair], pooling) for pair in pairs]

    np.testing.assert_allclose(
        together.positive, np.concatenate([a.positive for a in alone]), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        together.negative, np.concatenate([a.negative for a in alone]), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        together.residual_norms, np.mean([a.residual_norms for a in alone], 0), rtol=1e-5
    )


def test_collect_activations_response_mean_equals_a_plain_forward(tiny_lm):
    lm = tiny_lm("llama")
    pair = encoded(lm)[0]
    found = collect_activations(lm, [pair], "response_mean")
    with torch.no_grad():
        states = base_model(lm.model)(torch.tensor([pair.positive]), output_hidden_states=True).hidden_states
    response = states[2][0, pair.prompt_length :]

    np.testing.assert_allclose(found.positive[0, 1], response.mean(0).numpy(), rtol=1e-5, atol=1e-5)


def test_pooled_batches_small_budget_reads_each_pair_once_and_leaves_no_hook(tiny_lm):
    lm = tiny_lm("llama")
    before = sum(len(module._forward_hooks) for module in lm.model.modules())
    seen = [
        i
        for batch in pooled_batches(lm, encoded(lm) * 5, "response_mean", token_budget=40)
        for i in batch.pairs
    ]

    assert sorted(seen) == list(range(15))
    assert sum(len(module._forward_hooks) for module in lm.model.modules()) == before


def test_length_batches_row_over_budget_stands_alone():
    assert list(length_batches([5, 100, 5, 6], 12)) == [[0, 2], [3], [1]]


def test_padded_short_rows_repeat_their_last_token():
    assert padded([[1, 2, 3], [4]]).tolist() == [[1, 2, 3], [4, 4, 4]]
