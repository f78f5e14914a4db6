import pytest
import torch
from torch import nn

from steering_core.errors import InjectionError, ModelError
from steering_core.models.blocks import base_model, decoder_blocks, hidden_of, site_module, with_hidden

KINDS = ("llama", "gpt2", "gpt_neox", "qwen3")


@pytest.mark.parametrize("kind", KINDS)
def test_decoder_blocks_each_architecture_outputs_are_the_hidden_states(tiny_lm, kind):
    lm, seen = tiny_lm(kind), []
    handles = [
        b.register_forward_hook(lambda m, i, o: seen.append(hidden_of(o))) for b in decoder_blocks(lm.model)
    ]
    with torch.no_grad():
        states = base_model(lm.model)(torch.tensor([[1, 3, 7, 8]]), output_hidden_states=True).hidden_states
    for handle in handles:
        handle.remove()

    assert len(seen) == 3
    assert all(torch.equal(block, state) for block, state in zip(seen[:-1], states[1:-1], strict=True))


def test_decoder_blocks_unknown_module_names_what_works():
    with pytest.raises(ModelError, match="Llama"):
        decoder_blocks(nn.Linear(2, 2))


def test_site_module_other_site_or_block_is_refused(tiny_lm):
    model = tiny_lm("llama").model

    assert site_module(model, "resid_post", 2) is decoder_blocks(model)[2]
    with pytest.raises(InjectionError, match="mlp_out"):
        site_module(model, "mlp_out", 0)
    with pytest.raises(InjectionError, match="blocks 0 to 2"):
        site_module(model, "resid_post", 3)


def test_hidden_of_tuple_output_is_replaced_and_the_rest_kept():
    hidden = torch.zeros(1, 2, 3)

    assert hidden_of((hidden, "cache")) is hidden
    replaced = with_hidden((hidden, "cache"), hidden + 1)
    assert replaced[1] == "cache"
    assert torch.equal(hidden_of(replaced), hidden + 1)


def test_hidden_of_four_dimensional_residual_is_refused():
    with pytest.raises(ModelError, match="batch, tokens, d_model"):
        hidden_of(torch.zeros(1, 2, 4, 3))
