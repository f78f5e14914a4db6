"""torch.compile before, inside and around a `with steer` block."""

import pytest
import torch
from torch._dynamo.utils import counters
from transformers import AutoModelForCausalLM

from steering_core.injection import Condition, Span, Steering, Window, steer, steer_batch
from tests.steering_core.injection.conftest import direction, logits

IDS = torch.tensor([[1, 3, 7, 8, 2, 4], [1, 3, 9, 6, 2, 4]])


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def model(model_folder):
    return AutoModelForCausalLM.from_pretrained(model_folder("llama"))


@pytest.fixture
def vectors(tiny_lm, make_vector):
    return [
        make_vector(
            tiny_lm("llama").identity, {f"resid_post.{i}": direction(i), "mlp_out.2": direction(9 + i)}
        )
        for i in (0, 1)
    ]


def contexts(vectors):
    one, two = vectors
    when = Condition(one, "resid_post.0", 0.0)
    return {
        "project": lambda m: steer(m, [Steering(one, 0.5, "project"), (two, 0.2)]),
        "batch": lambda m: steer_batch(m, [[(one, 0.3)], [(two, 0.2), (one, 0.1)]]),
        "window": lambda m: steer(m, [(one, 0.3)], positions=Window(2, 5)),
        "span": lambda m: steer(m, [(one, 0.3)], outside=[Span([7], [8])]),
        "when": lambda m: steer(
            m, [Steering(two, 0.3, when=when, positions="response")], prompt_lengths=[3, 4]
        ),
    }


def test_steer_compiled_before_or_inside_is_steered_and_afterwards_not(model, vectors):
    items = [(vectors[0], 0.3), (vectors[1], -0.2)]
    plain = logits(model, IDS)
    before = torch.compile(model, backend="eager", fullgraph=True)
    assert torch.equal(logits(before, IDS), plain)
    with steer(model, items):
        expected = logits(model, IDS)
        inside = torch.compile(model, backend="eager", fullgraph=True)
        for compiled in (before, inside):
            assert torch.equal(logits(compiled, IDS), expected)
    for compiled in (before, inside):
        assert torch.equal(logits(compiled, IDS), plain)
    with steer(before, items):
        assert torch.equal(logits(before, IDS), expected)

    assert not torch.allclose(plain, expected, atol=1e-2)


def test_steer_compiled_model_is_compiled_once_in_a_block(model, vectors):
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    counters.clear()
    with steer(model, [(vectors[0], 0.3)]):
        for _ in range(3):
            logits(compiled, IDS)

    assert counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("name", ["project", "batch", "window", "span", "when"])
def test_steer_compiled_what_depends_on_the_text_is_the_same(model, vectors, name):
    context = contexts(vectors)[name]
    compiled, plain = torch.compile(model, backend="eager"), logits(model, IDS)
    assert torch.equal(logits(compiled, IDS), plain)
    with context(model):
        expected = logits(model, IDS)
        twice = [logits(compiled, IDS) for _ in range(2)]

    assert all(torch.allclose(found, expected, atol=1e-5) for found in twice)
    assert torch.equal(logits(compiled, IDS), plain)
    assert not torch.allclose(plain, expected, atol=1e-2)


def test_steer_module_compiled_in_place_is_steered_and_afterwards_not(model, vectors):
    check_compiled_in_place(model, vectors[1], "eager")


def check_compiled_in_place(model, vector, backend):
    plain = logits(model, IDS)
    with steer(model, [(vector, 0.3)]):
        expected = logits(model, IDS)
    model.model.layers[2].mlp.compile(backend=backend)
    before = logits(model, IDS)
    with steer(model, [(vector, 0.3)]):
        steered = logits(model, IDS)
    after = logits(model, IDS)

    assert torch.allclose(before, plain, atol=1e-4)
    assert torch.allclose(steered, expected, atol=1e-4)
    assert torch.allclose(after, plain, atol=1e-4)
    assert not torch.allclose(plain, expected, atol=1e-2)
