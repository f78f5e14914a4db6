"""Every operation against the same algebra in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from steering_core.injection import Multiplier, Steering, steer
from steering_core.injection.operators import add, add_keeping_norm, clamp, project
from steering_core.models.sites import read_site
from steering_core.spec import parse_site_key
from tests.steering_core.conftest import ALL_KINDS
from tests.steering_core.injection.conftest import direction, logits, moved, residual

IDS = torch.tensor([[1, 3, 7, 8, 2, 4], [1, 3, 9, 6, 2, 4]])
shares = st.floats(-2, 2)
seeds = st.integers(0, 10**6)


def states(seed, dtype=torch.float64):
    """Hidden states and a unit direction for each of three rows, as numpy and as tensors."""
    rng = np.random.default_rng(seed)
    hidden, units = rng.normal(size=(3, 5, 8)), rng.normal(size=(3, 1, 8))
    units /= np.linalg.norm(units, axis=-1, keepdims=True)
    return hidden, units, torch.from_numpy(hidden).to(dtype), torch.from_numpy(units).to(dtype)


@given(seed=seeds, share=shares)
@settings(deadline=None)
def test_project_equals_its_formula(seed, share):
    h, u, hidden, unit = states(seed)

    found = project(hidden, None, unit, torch.tensor([[[share]]], dtype=torch.float64))

    assert np.allclose(found, h - share * (h * u).sum(-1, keepdims=True) * u, atol=1e-12)


@given(seed=seeds)
@settings(deadline=None)
def test_project_share_1_removes_and_share_2_reflects(seed):
    _, _, hidden, unit = states(seed)
    one, two = (project(hidden, None, unit, torch.tensor([[[s]]], dtype=torch.float64)) for s in (1.0, 2.0))

    assert ((one * unit).sum(-1).abs() < 1e-12).all()
    assert torch.allclose((two * unit).sum(-1), -(hidden * unit).sum(-1), atol=1e-12)
    assert torch.allclose(two.norm(dim=-1), hidden.norm(dim=-1), atol=1e-12)


@given(seed=seeds, share=shares, ends=st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
@settings(deadline=None)
def test_clamp_equals_its_formula(seed, share, ends):
    h, u, hidden, unit = states(seed)
    low, high = sorted(ends)
    bounds = [torch.tensor([[[x]]], dtype=torch.float64) for x in (share, low, high)]

    along = (h * u).sum(-1, keepdims=True)

    expected = h + share * (np.clip(along, low, high) - along) * u
    assert np.allclose(clamp(hidden, None, unit, *bounds), expected, atol=1e-12)


@given(seed=seeds, size=st.floats(0, 50))
@settings(deadline=None)
def test_add_keeping_norm_equals_its_formula(seed, size):
    h, u, hidden, unit = states(seed)

    found = add_keeping_norm(hidden, None, size * unit)

    total = h + size * u
    scale = np.linalg.norm(h, axis=-1, keepdims=True) / np.linalg.norm(total, axis=-1, keepdims=True)
    assert np.allclose(found, total * scale, atol=1e-9)
    assert torch.allclose(found.norm(dim=-1), hidden.norm(dim=-1), atol=1e-9)


def test_add_keeping_norm_of_opposites_is_zero_and_not_nan():
    hidden = torch.ones(1, 1, 4)

    assert torch.equal(add_keeping_norm(hidden, None, -hidden), torch.zeros(1, 1, 4))


@given(seed=seeds, on=st.lists(st.booleans(), min_size=5, max_size=5))
@settings(deadline=None)
def test_every_operation_with_a_mask_acts_there_only_and_never_in_place(seed, on):
    _, _, hidden, unit = states(seed, torch.float32)
    kept, where = hidden.clone(), torch.tensor(on, dtype=torch.float32)[None, :, None]
    half, low, high = (torch.tensor([[[x]]]) for x in (0.5, -0.1, 0.1))
    for operator, tensors in [
        (add, (unit,)),
        (add_keeping_norm, (unit,)),
        (project, (unit, half)),
        (clamp, (unit, half, low, high)),
    ]:
        found, everywhere = operator(hidden, where, *tensors), operator(hidden, None, *tensors)
        chosen = where[0, :, 0] > 0

        assert torch.allclose(found[:, chosen], everywhere[:, chosen], atol=1e-6)
        assert torch.equal(found[:, ~chosen], kept[:, ~chosen])
        assert torch.equal(hidden, kept)


def whole(lm, key, context):
    """What a site holds before steering and by how much it is moved, both float64."""
    (site, block), seen = parse_site_key(key), []
    hook = lm.sites.module(site, block).register_forward_hook(
        lambda m, i, o: seen.append(read_site(site, o).clone())
    )
    delta = moved(lm, key, context, lambda: logits(lm.model, IDS))
    hook.remove()
    return seen[0].double().numpy(), delta.double().numpy()


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_steer_every_operation_in_every_architecture_equals_its_formula(tiny_lm, make_vector, kind):
    lm, key = tiny_lm(kind), residual(kind)
    v = direction(1).astype(np.float64)
    u = v / np.linalg.norm(v)
    vector = make_vector(lm.identity, {key: direction(1)}, set_points={key: (-1.5, 2.5)})
    asked = {
        "project": (Steering(vector, 0.7, "project"), lambda p: -0.7 * p * u),
        "interval": (
            Steering(vector, 0.5, "clamp", interval=(0.2, 0.4)),
            lambda p: 0.5 * (np.clip(p, 0.2, 0.4) - p) * u,
        ),
        "positive": (Steering(vector, 1.0, "clamp"), lambda p: (2.5 - p) * u),
        "negative": (Steering(vector, -0.5, "clamp"), lambda p: 0.5 * (-1.5 - p) * u),
        "multiplier": (Steering(vector, Multiplier(-0.3)), lambda p: -0.3 * v),
        "strength": (Steering(vector, 0.25), lambda p: 2.5 * u),
    }
    for item, change in asked.values():
        h, delta = whole(lm, key, steer(lm, [item]))

        expected = np.broadcast_to(change(h @ u[:, None]), h.shape)
        assert np.abs(delta - expected).max() < 1e-5 * max(1.0, np.abs(h).max())


@pytest.mark.parametrize("kind", ["llama", "gemma3_text", "deepseek_v4"])
def test_steer_keep_norm_turns_the_state_and_keeps_its_length(tiny_lm, make_vector, kind):
    lm, key = tiny_lm(kind), residual(kind)
    vector = make_vector(lm.identity, {key: direction(1)})

    h, delta = whole(lm, key, steer(lm, [Steering(vector, 0.4, keep_norm=True)]))

    assert np.allclose(np.linalg.norm(h + delta, axis=-1), np.linalg.norm(h, axis=-1), rtol=1e-5)
    assert np.linalg.norm(delta, axis=-1).min() > 0.1


def test_steer_mixed_operations_project_then_clamp_then_add(tiny_lm, make_vector):
    lm, key = tiny_lm("llama"), "resid_post.1"
    first, second, third = (make_vector(lm.identity, {key: direction(i)}) for i in (1, 2, 3))
    u1, u2 = (direction(i).astype(np.float64) / np.linalg.norm(direction(i)) for i in (1, 2))
    items = [
        Steering(third, 0.3),
        Steering(second, 1.0, "clamp", interval=(1.0, 1.0)),
        Steering(third, 0.2, keep_norm=True),
        Steering(first, 1.0, "project"),
    ]

    h, delta = whole(lm, key, steer(lm, items))

    state = h - (h @ u1)[..., None] * u1
    state = state + (1.0 - state @ u2)[..., None] * u2
    turned = state + third.addition(0.2, key)
    turned *= np.linalg.norm(state, axis=-1, keepdims=True) / np.linalg.norm(turned, axis=-1, keepdims=True)
    assert np.allclose(h + delta, turned + third.addition(0.3, key), atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_add_in_half_precision_loses_little_beside_what_rounding_a_state_loses(dtype):
    rng = torch.Generator().manual_seed(0)
    exact = torch.randn(200, 1, 1024, generator=rng, dtype=torch.float64)
    v = torch.randn(1024, generator=rng, dtype=torch.float64)
    v *= 0.3 * exact.norm(dim=-1).mean() / v.norm()
    hidden = exact.to(dtype)

    found = add(hidden, None, v.float().to(dtype)).double()
    best = (hidden.double() + v).to(dtype).double()

    lost = [(x - hidden.double() - v).norm(dim=-1).mean() for x in (found, best)]
    assert lost[0] < 1.15 * lost[1]
