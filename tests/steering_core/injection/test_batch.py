"""Rows with vectors of their own: equal to each row alone, at the price of one operation a block."""

import pytest
import torch

from steering_core.errors import InjectionError
from steering_core.injection import Steering, Window, steer, steer_batch, steer_rows
from steering_core.injection.generate import generate
from steering_core.spec import SITES
from tests.steering_core.conftest import ALL_KINDS
from tests.steering_core.injection.conftest import Operations, direction, logits, residual

IDS = torch.tensor([[1, 3, 7, 8, 2, 4], [1, 3, 9, 6, 2, 4], [1, 3, 10, 12, 2, 4]])
PROMPTS = ["the cat sat on the mat", "dog", "the cat", "please sat on the fast mat world", "dog"]


@pytest.fixture
def vectors(tiny_lm, make_vector):
    """Eight vectors at two sites of llama, far enough to change its words."""
    identity = tiny_lm("llama").identity
    keys = ("resid_post.1", "mlp_out.2")
    points = dict.fromkeys(keys, (-2.0, 3.0))
    return [
        make_vector(identity, {key: direction(10 * i + j) for j, key in enumerate(keys)}, set_points=points)
        for i in range(8)
    ]


def added_operations(lm, context):
    """What steering adds to the operations of one pass."""
    with Operations() as plain:
        logits(lm.model, IDS, use_cache=False)
    with context:
        logits(lm.model, IDS, use_cache=False)
        with Operations() as steered:
            logits(lm.model, IDS, use_cache=False)
    for name in plain.names:
        steered.names.remove(name)
    return steered.names


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_steer_plain_additions_cost_one_operation_per_block(tiny_lm, make_vector, kind):
    lm = tiny_lm(kind)
    keys = [residual(kind, block) for block in range(3)]
    many = [make_vector(lm.identity, {key: direction(i) for key in keys}) for i in range(4)]

    assert added_operations(lm, steer(lm, [(v, 0.1) for v in many])) == ["aten.add.Tensor"] * 3


def test_steer_batch_distinct_vectors_cost_one_operation_per_block(tiny_lm, vectors):
    lm = tiny_lm("llama")
    mixes = [[(vectors[0], 0.1), (vectors[1], 0.2)], [], [(v, -0.1) for v in vectors]]

    assert added_operations(lm, steer_batch(lm, mixes)) == ["aten.add.Tensor"] * 2
    assert added_operations(lm, steer(lm, [(vectors[0], [0.1, 0.0, 0.3])])) == ["aten.add.Tensor"] * 2


def test_steer_at_some_positions_costs_one_operation_per_block_and_none_where_it_is_off(tiny_lm, vectors):
    lm = tiny_lm("llama")

    def at_sites(**options):
        return [n for n in added_operations(lm, steer(lm, [(vectors[0], 0.1)], **options)) if "add" in n]

    assert at_sites(positions=Window(2, 4)) == ["aten.addcmul.default"] * 2
    assert at_sites(positions="response", prompt_lengths=[2, 3, 4]) == ["aten.addcmul.default"] * 2
    with steer(lm, [(vectors[0], 0.1)], positions="response"), torch.no_grad(), Operations() as prompt:
        lm.model(IDS, use_cache=True)
    with torch.no_grad(), Operations() as plain:
        lm.model(IDS, use_cache=True)
    assert prompt.names == plain.names


@pytest.mark.parametrize(
    "mix",
    [
        lambda v: [[(v[0], 0.3)], [(v[1], 0.2), (v[2], -0.1)], []],
        lambda v: [
            [Steering(v[0], 0.7, "project"), Steering(v[1], 0.5, "project")],
            [(v[2], 0.3)],
            [Steering(v[3], -1.0, "project")],
        ],
        lambda v: [
            [Steering(v[0], 1.0, "clamp")],
            [Steering(v[1], -0.5, "clamp")],
            [Steering(v[2], 0.5, "clamp", interval=(0, 1))],
        ],
        lambda v: [[Steering(v[0], 0.4, keep_norm=True)], [(v[0], 0.4)], [Steering(v[0], 0.4, "project")]],
        lambda v: [
            [Steering(v[0], 0.4, positions=Window(2, 4))],
            [(v[0], 0.4)],
            [Steering(v[1], 1.0, "project", positions=Window(3)), Steering(v[0], 1.0, "project")],
        ],
    ],
)
def test_steer_batch_row_equals_the_row_alone(tiny_lm, vectors, mix):
    lm, mixes = tiny_lm("llama"), mix(vectors)
    plain = logits(lm.model, IDS)
    with steer_batch(lm, mixes):
        together = logits(lm.model, IDS)

    for row, alone in enumerate(mixes):
        with steer(lm, alone):
            assert torch.allclose(together[row], logits(lm.model, IDS)[row], atol=1e-4)
    assert not torch.allclose(together[0], plain[0], atol=1e-3)
    with steer_batch(lm, mixes[:1]):
        assert torch.allclose(logits(lm.model, IDS[:1])[0], together[0], atol=1e-4)


def test_steer_batch_additions_equal_each_row_alone_bit_for_bit(tiny_lm, vectors):
    lm = tiny_lm("llama")
    mixes = [[(vectors[0], 0.3)], [(vectors[1], 0.2), (vectors[2], -0.1)], []]
    with steer_batch(lm, mixes):
        together = logits(lm.model, IDS)
    for row, mix in enumerate(mixes):
        with steer(lm, mix):
            assert torch.equal(together[row], logits(lm.model, IDS)[row])


def test_steer_one_strength_per_row_equals_the_strengths_one_by_one(tiny_lm, vectors):
    lm = tiny_lm("llama")
    for item in ({}, {"operation": "project"}, {"operation": "clamp"}):
        with steer(lm, [Steering(vectors[0], [0.3, -0.2, 0.0], **item)]):
            together = logits(lm.model, IDS)
        for row, strength in enumerate((0.3, -0.2, 0.0)):
            with steer(lm, [Steering(vectors[0], strength, **item)]):
                assert torch.allclose(together[row], logits(lm.model, IDS)[row], atol=1e-4)


@pytest.mark.parametrize("site", SITES)
def test_steer_batch_other_number_of_rows_is_refused(tiny_lm, make_vector, site):
    lm = tiny_lm("llama")
    vector = make_vector(lm.identity, {f"{site}.1": direction(1)})
    with steer_batch(lm, [[(vector, 0.1)], []]):
        with pytest.raises(InjectionError, match="3 rows and the steering is for 2") as refused:
            logits(lm.model, IDS)
        with pytest.raises(InjectionError, match="1 rows"):
            lm.model.generate(IDS[:1], max_new_tokens=2)
        logits(lm.model, IDS[:2])
    assert refused.value.code == "injection.rows"


def test_steer_batch_strengths_per_row_in_a_mix_are_refused(tiny_lm, vectors):
    with pytest.raises(InjectionError, match="one strength") as refused:
        steer_batch(tiny_lm("llama"), [[(vectors[0], [0.1, 0.2])], []])
    assert refused.value.code == "injection.rows"


def test_steer_batch_beam_search_keeps_a_mix_with_its_prompt(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    left, right = (make_vector(lm.identity, {"resid_post.1": direction(i)}, norm=60.0) for i in (1, 2))
    mixes, beams = [[(left, 0.4)], [(right, 0.4)]], {"num_beams": 3, "max_new_tokens": 10, "do_sample": False}
    real = torch.ones_like(IDS)
    with steer_batch(lm, [mix for mix in mixes for _ in range(3)]):
        together = lm.model.generate(IDS[:2], attention_mask=real[:2], **beams)

    for row, mix in enumerate(mixes):
        with steer(lm, mix):
            alone = lm.model.generate(IDS[row : row + 1], attention_mask=real[:1], **beams)
        written = alone.shape[1]
        assert together[row, :written].tolist() == alone[0].tolist()
    assert together[0].tolist() != together[1].tolist()


def test_steer_batch_generate_of_ours_keeps_a_mix_with_its_prompt(tiny_lm, make_vector, monkeypatch):
    from steering_core.injection import generate as module

    lm = tiny_lm("llama")
    made = [make_vector(lm.identity, {"resid_post.1": direction(i)}, norm=60.0) for i in range(5)]
    mixes = [[(v, 0.5)] for v in made]
    alone = []
    for mix, prompt in zip(mixes, PROMPTS, strict=True):
        with steer(lm, mix):
            alone += generate(lm, [prompt], max_new_tokens=12, temperature=0)
    with steer_batch(lm, mixes):
        together = generate(lm, PROMPTS, max_new_tokens=12, temperature=0)
        monkeypatch.setattr(module, "MAX_LENGTH_SPREAD", 0)
        in_batches = generate(lm, PROMPTS, max_new_tokens=12, temperature=0)
        with pytest.raises(InjectionError, match="3 rows and the steering is for 5"):
            generate(lm, PROMPTS[:3], max_new_tokens=2)

    assert together == alone == in_batches
    assert len(set(alone)) == 5


def test_steer_rows_equals_steer_batch(tiny_lm, vectors):
    lm = tiny_lm("llama")
    rows = {
        ("resid_post", 1): torch.stack(
            [torch.from_numpy(v.addition(0.2, "resid_post.1")) for v in vectors[:3]]
        ),
        ("mlp_out", 2): torch.stack([torch.from_numpy(v.addition(0.2, "mlp_out.2")) for v in vectors[:3]]),
    }
    with steer_rows(lm, rows):
        ready_made = logits(lm.model, IDS)
    with steer_batch(lm, [[(v, 0.2)] for v in vectors[:3]]):
        assert torch.equal(logits(lm.model, IDS), ready_made)
    with pytest.raises(InjectionError, match="of one batch"):
        steer_rows(lm, {**rows, ("attn_out", 0): torch.zeros(2, 32)})
