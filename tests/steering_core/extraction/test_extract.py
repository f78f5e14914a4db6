import copy
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from steering_core.errors import ExtractionError
from steering_core.extraction.extract import encode_splits, extract
from steering_core.models.blocks import decoder_blocks
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits
from steering_core.spec import ExtractionSpec

DIGEST = "sha256:" + "1" * 64
SPLITS = Splits(tuple(range(36)), tuple(range(36, 48)), tuple(range(48, 60)))


def pairs(n=60, positive="kindly", negative="just"):
    drawn = random.Random(0)
    words = ("the", "cat", "sat", "mat", "fast", "tea")

    def text(first):
        return " ".join([first, *drawn.choices(words, k=5)])

    return [
        ContrastivePair(prompt=text("a"), positive=text(positive), negative=text(negative)) for _ in range(n)
    ]


def run(lm, given, **asked):
    spec = ExtractionSpec(DIGEST, lm.identity.model_hash, **asked)
    return extract(lm, encode_splits(lm, given, SPLITS), spec, lambda fraction: None)


@pytest.fixture
def planted(tiny_lm):
    """A model whose blocks pass their input on, with one direction between two words."""
    lm = tiny_lm("llama")
    model, truth = copy.deepcopy(lm.model), torch.nn.functional.normalize(torch.randn(32), dim=0)
    with torch.no_grad():
        for block in decoder_blocks(model):
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
        kindly, just = lm.tokenizer.convert_tokens_to_ids(["kindly", "just"])
        embedding = model.get_input_embeddings().weight
        embedding[kindly], embedding[just] = embedding[kindly] + 12 * truth, embedding[kindly] - 12 * truth
    return replace(lm, model=model), truth.numpy()


def test_extract_planted_direction_comes_back(planted):
    lm, truth = planted
    found = run(lm, pairs())

    for direction in found.directions:
        assert direction @ truth / np.linalg.norm(direction) > 0.99
    assert found.pooling == "response_mean"
    assert (found.test.positive > found.test.negative).all()


def test_extract_swapped_poles_gives_the_opposite_direction(tiny_lm):
    given = pairs()
    swapped = [replace(p, positive=p.negative, negative=p.positive) for p in given]

    np.testing.assert_allclose(
        run(tiny_lm("llama"), given).directions, -run(tiny_lm("llama"), swapped).directions, atol=1e-5
    )


def test_extract_poles_that_encode_alike_is_a_plain_error(tiny_lm):
    given = [ContrastivePair(prompt="the", positive=f"plus{i}", negative=f"minus{i}") for i in range(60)]

    with pytest.raises(ExtractionError, match="look the same") as caught:
        run(tiny_lm("llama"), given)
    assert caught.value.code == "extraction.no_difference"


def test_extract_weights_that_are_not_numbers_is_a_plain_error(tiny_lm):
    lm = tiny_lm("llama")
    broken = replace(lm, model=copy.deepcopy(lm.model))
    with torch.no_grad():
        broken.model.get_input_embeddings().weight.fill_(float("nan"))

    with pytest.raises(ExtractionError, match="not finite"):
        run(broken, pairs())


def test_extract_other_site_is_refused(tiny_lm):
    with pytest.raises(ExtractionError, match="mlp_out cannot be read yet"):
        run(tiny_lm("llama"), pairs(), site="mlp_out")


def test_encode_splits_rows_beyond_the_context_are_left_out_and_counted(tiny_lm):
    given = pairs()
    given[0] = replace(given[0], positive="cat " * 100)
    data = encode_splits(tiny_lm("llama"), given, SPLITS)

    assert data.left_out == 1
    assert data.train == tuple(range(1, 36))


def test_encode_splits_too_few_rows_left_is_a_plain_error(tiny_lm):
    given = [replace(pair, positive="cat " * 100) for pair in pairs()]

    with pytest.raises(ExtractionError, match="64 tokens") as caught:
        encode_splits(tiny_lm("llama"), given, SPLITS)
    assert caught.value.code == "extraction.too_few_pairs"
