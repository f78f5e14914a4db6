import pytest
import torch

from steering_core.errors import InjectionError, ModelError, ModelMismatchError
from steering_core.injection.hooks import steer, steer_rows
from steering_core.injection.strengths import SteeringWarning
from steering_core.models.sites import read_site
from steering_core.spec import SITES
from tests.steering_core.injection.conftest import direction
from tests.steering_core.injection.conftest import logits as logits_of

IDS = torch.tensor([[1, 3, 7, 8, 2, 4], [1, 3, 9, 6, 2, 4]])
KINDS = ("llama", "gpt2", "gpt_neox", "qwen3")
PLACES = [
    *((kind, site) for kind in ("llama", "gemma3_text", "gpt2", "gpt_oss") for site in SITES),
    *(("deepseek_v4", site) for site in ("resid_post@1", "mlp_out", "attn_out")),
]


def logits(model):
    return logits_of(model, IDS)


def hooks(model):
    return sum(len(module._forward_hooks) for module in model.modules())


@pytest.fixture
def vector(tiny_lm, make_vector):
    return make_vector(tiny_lm("llama").identity, {"resid_post.1": direction(1)})


@pytest.mark.parametrize("kind", KINDS)
def test_steer_each_architecture_moves_the_logits_and_leaves_no_trace(tiny_lm, make_vector, kind):
    lm = tiny_lm(kind)
    plain, before = logits(lm.model), hooks(lm.model)
    with steer(lm, [(make_vector(lm.identity, {"resid_post.1": direction(1)}), 0.3)]):
        steered = logits(lm.model)

    assert not torch.allclose(plain, steered, atol=1e-3)
    assert torch.equal(plain, logits(lm.model))
    assert hooks(lm.model) == before


@pytest.mark.parametrize("kind", KINDS)
def test_steer_zero_strength_is_bit_identical(tiny_lm, make_vector, kind):
    lm = tiny_lm(kind)
    plain = logits(lm.model)
    with steer(lm, [(make_vector(lm.identity, {"resid_post.1": direction(1)}), 0.0)]):
        assert torch.equal(plain, logits(lm.model))


@pytest.mark.parametrize(("kind", "site"), PLACES)
def test_steer_each_site_gets_the_vector_and_leaves_no_trace(tiny_lm, make_vector, kind, site):
    lm, seen = tiny_lm(kind), []
    module, before = lm.sites.module(site, 1), hooks(lm.model)
    vector, plain = make_vector(lm.identity, {f"{site}.1": direction(1)}), logits(lm.model)
    for strength in (0.0, 0.25):
        with steer(lm, [(vector, strength)]):
            handle = module.register_forward_hook(lambda m, i, o: seen.append(read_site(site, o)))
            steered = logits(lm.model)
            handle.remove()

    assert torch.allclose((seen[1] - seen[0]).norm(dim=-1), torch.full((2, 6), 2.5), atol=1e-4)
    assert not torch.allclose(plain, steered, atol=1e-3)
    assert torch.equal(plain, logits(lm.model))
    assert hooks(lm.model) == before


@pytest.mark.parametrize(
    ("key", "said"), [("resid_post.1", "must name its own"), ("resid_post@4.1", "streams 0 to 3")]
)
def test_steer_several_streams_the_vector_names_one_of_them(tiny_lm, make_vector, key, said):
    lm = tiny_lm("deepseek_v4")
    vector = make_vector(lm.identity, {key: direction(1)})

    with pytest.raises(ModelError, match=said), steer(lm, [(vector, 0.3)]):
        pass


def test_steer_strength_is_a_share_of_the_residual_norm(tiny_lm, vector):
    lm, seen = tiny_lm("llama"), []
    block = lm.sites.blocks[1]
    for strength in (0.0, 0.25):
        with steer(lm, [(vector, strength)]):
            handle = block.register_forward_hook(lambda m, i, o: seen.append(o))
            logits(lm.model)
            handle.remove()

    assert torch.allclose((seen[1] - seen[0]).norm(dim=-1), torch.full((2, 6), 2.5), atol=1e-4)


def test_steer_vectors_at_one_site_add_up_and_nested_blocks_too(tiny_lm, make_vector, vector):
    lm = tiny_lm("llama")
    other = make_vector(lm.identity, {"resid_post.1": direction(2), "resid_post.2": direction(3)})
    with steer(lm, [(vector, 0.2), (other, -0.1)]):
        together = logits(lm.model)
    with steer(lm, [(vector, 0.2)]), steer(lm, [(other, -0.1)]):
        nested = logits(lm.model)

    assert torch.allclose(together, nested, atol=1e-4)


def test_steer_plain_transformers_model_is_accepted(tiny_lm, vector):
    lm = tiny_lm("llama")
    with steer(lm, [(vector, 0.3)]):
        expected = logits(lm.model)
    with steer(lm.model, [(vector, 0.3)]):
        assert torch.equal(expected, logits(lm.model))


def test_steer_half_precision_model_keeps_its_dtype(model_folder, vector):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(model_folder("llama"), dtype=torch.bfloat16)
    with steer(model, [(vector, 0.3)]):
        assert logits(model).dtype == torch.bfloat16


def test_steer_last_position_leaves_earlier_logits_alone(tiny_lm, vector):
    lm = tiny_lm("llama")
    plain = logits(lm.model)
    with steer(lm, [(vector, 0.3)], positions="last"):
        steered = logits(lm.model)

    assert torch.equal(plain[:, :-1], steered[:, :-1])
    assert not torch.allclose(plain[:, -1], steered[:, -1], atol=1e-3)


def test_steer_vector_of_another_size_or_revision_is_a_mismatch(tiny_lm, make_vector):
    lm, other = tiny_lm("llama"), tiny_lm("qwen3")
    wide = make_vector(
        type(lm.identity)("wide", "sha256:" + "2" * 64, "LlamaForCausalLM", 3, 64),
        {"resid_post.1": direction(1, 64)},
    )

    with pytest.raises(ModelMismatchError, match="width 64"), steer(lm.model, [(wide, 0.1)]):
        pass
    qwen = make_vector(other.identity, {"resid_post.1": direction(1)})
    with pytest.raises(ModelMismatchError, match="tiny-qwen3"), steer(lm, [(qwen, 0.1)]):
        pass


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), 2.5, -2.01])
def test_steer_strength_that_cannot_be_meant_is_refused(tiny_lm, vector, strength):
    with pytest.raises(InjectionError, match="out of range"), steer(tiny_lm("llama"), [(vector, strength)]):
        pass


def test_steer_outside_the_window_warns_at_the_callers_line(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    measured = make_vector(lm.identity, {"resid_post.1": direction(1)}, window=(-0.2, 0.3))

    with pytest.warns(SteeringWarning, match=r"-0\.2 to 0\.3") as caught, steer(lm, [(measured, 0.5)]):
        pass
    assert caught[0].filename == __file__


def test_steer_rows_each_row_gets_its_own_addition(tiny_lm, vector):
    lm = tiny_lm("llama")
    addition = torch.from_numpy(vector.addition(0.3, "resid_post.1"))
    plain = logits(lm.model)
    with steer(lm, [(vector, 0.3)]):
        steered = logits(lm.model)
    with steer_rows(lm.model, {("resid_post", 1): torch.stack([torch.zeros(32), addition])}):
        rows = logits(lm.model)

    assert torch.equal(rows[0], plain[0])
    assert torch.equal(rows[1], steered[1])


def test_steer_rows_one_dimensional_addition_is_refused(tiny_lm):
    lm = tiny_lm("llama")
    with (
        pytest.raises(InjectionError, match="batch, d_model"),
        steer_rows(lm.model, {("resid_post", 1): torch.zeros(32)}),
    ):
        pass


@pytest.mark.parametrize("site", SITES)
def test_steer_rows_each_site_steers_rows_apart(tiny_lm, site):
    lm = tiny_lm("llama")
    plain = logits(lm.model)
    with steer_rows(lm, {(site, 1): torch.stack([torch.zeros(32), torch.ones(32)])}):
        rows = logits(lm.model)

    assert torch.equal(rows[0], plain[0])
    assert not torch.allclose(rows[1], plain[1], atol=1e-3)
