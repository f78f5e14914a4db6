"""A `with steer` block leaves nothing behind, whatever happens in it or on the way into it."""

import pytest
import torch
from transformers import DynamicCache

from steering_core.errors import ModelError
from steering_core.injection import Condition, Span, Steering, steer, steer_batch, steer_rows
from steering_core.models.sites import read_site
from tests.steering_core.injection.conftest import direction, logits

IDS = torch.tensor([[1, 3, 7, 8, 2, 4], [1, 3, 9, 6, 2, 4]])


def state(model):
    """Everything that every module holds."""
    return [
        {name: dict(held) if isinstance(held, dict) else held for name, held in vars(module).items()}
        for module in model.modules()
    ]


def same(left, right):
    return all(
        a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a) for a, b in zip(left, right, strict=True)
    )


def _equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(a[k] is b[k] for k in a)
    return a is b or a == b


@pytest.fixture
def made(tiny_lm, make_vector):
    identity = tiny_lm("llama").identity
    early, late = (make_vector(identity, {f"resid_post.{i}": direction(i)}) for i in (0, 2))
    return early, late, Condition(early, "resid_post.0", 0.0)


def interrupted(lm, context, cache):
    with context:
        lm.model(IDS, past_key_values=cache, use_cache=True)
        raise KeyboardInterrupt


def contexts(lm, made):
    early, late, when = made
    return [
        lambda: steer(lm, [(early, 0.3), (late, -0.3)]),
        lambda: steer(lm, [Steering(late, 0.5, "project", when=when)], outside=[Span([3], [4])]),
        lambda: steer_batch(lm, [[(early, 0.3)], [(late, 0.3)]]),
        lambda: steer_rows(lm, {("mlp_out", 1): torch.ones(2, 32)}),
    ]


def test_steer_every_kind_of_block_leaves_every_module_as_it_was(tiny_lm, made):
    lm = tiny_lm("llama")
    before = state(lm.model)
    for context in contexts(lm, made):
        with context():
            assert not same(before, state(lm.model))
            lm.model(IDS, use_cache=True)
        assert same(before, state(lm.model))


def test_steer_exception_inside_leaves_every_module_and_cache_as_it_was(tiny_lm, made):
    lm = tiny_lm("llama")
    before = state(lm.model)
    for context in contexts(lm, made):
        cache = DynamicCache(config=lm.model.config)
        with pytest.raises(KeyboardInterrupt):
            interrupted(lm, context(), cache)
        assert same(before, state(lm.model))
        assert "reorder_cache" not in vars(cache)


@pytest.mark.parametrize("stop_at", [0, 1, 2])
def test_steer_failure_half_way_into_a_block_leaves_every_module_as_it_was(
    tiny_lm, made, monkeypatch, stop_at
):
    lm = tiny_lm("llama")
    early, late, when = made
    items = [Steering(late, 0.5, when=when), Steering(early, 0.3, positions="response")]
    before, calls = state(lm.model), []
    register = torch.nn.Module.register_forward_hook

    def failing(module, hook, **more):
        calls.append(module)
        if len(calls) > stop_at:
            raise MemoryError("no room for a hook")
        return register(module, hook, **more)

    monkeypatch.setattr(torch.nn.Module, "register_forward_hook", failing)
    with pytest.raises(MemoryError), steer(lm, items):
        pytest.fail("the block was entered")

    assert len(calls) == stop_at + 1
    assert same(before, state(lm.model))


def test_steer_site_that_does_not_exist_among_others_leaves_every_module_as_it_was(
    tiny_lm, made, make_vector
):
    lm = tiny_lm("llama")
    before = state(lm.model)
    nowhere = make_vector(lm.identity, {"resid_post@1.1": direction(2)})

    with pytest.raises(ModelError, match="one only"), steer(lm, [(made[0], 0.3), (nowhere, 0.3)]):
        pytest.fail("the block was entered")
    assert same(before, state(lm.model))


def test_steer_strength_zero_registers_no_hook(tiny_lm, made):
    lm = tiny_lm("llama")
    before = state(lm.model)
    for context in (
        steer(lm, [(made[0], 0.0)], positions="response"),
        steer_batch(lm, [[(made[0], 0.0)], []]),
    ):
        with context:
            assert same(before, state(lm.model))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "deepseek_v4"])
@pytest.mark.parametrize("how", [{}, {"operation": "project"}, {"keep_norm": True}])
def test_steer_writes_to_no_blocks_own_output(tiny_lm, make_vector, kind, how):
    lm, own = tiny_lm(kind), []
    site = "resid_post@1" if kind == "deepseek_v4" else "resid_post"
    vector = make_vector(lm.identity, {f"{site}.1": direction(1)})
    hook = lm.sites.blocks[1].register_forward_hook(
        lambda m, i, o: own.append((read_site(site, o), read_site(site, o).clone()))
    )
    with steer(lm, [Steering(vector, 0.3, **how)]):
        logits(lm.model, IDS)
    hook.remove()

    assert torch.equal(*own[0])


def test_steer_block_that_is_entered_twice_steers_twice(tiny_lm, made):
    lm = tiny_lm("llama")
    with steer(lm, [(made[0], 0.3)]):
        once = logits(lm.model, IDS)
        with steer(lm, [(made[0], 0.3)]):
            twice = logits(lm.model, IDS)
        assert torch.equal(once, logits(lm.model, IDS))
    with steer(lm, [(made[0], 0.6)]):
        assert torch.allclose(twice, logits(lm.model, IDS), atol=1e-4)


@pytest.mark.parametrize("how", [{}, {"operation": "project"}, {"keep_norm": True}, {"positions": "last"}])
def test_steer_gradients_pass_through(tiny_lm, made, how):
    model = tiny_lm("llama").model
    embedded = model.get_input_embeddings()(IDS).detach().requires_grad_()
    with steer(model, [Steering(made[1], 0.5, **how)]):
        (gradient,) = torch.autograd.grad(model(inputs_embeds=embedded).logits.square().sum(), embedded)

    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() > 0
