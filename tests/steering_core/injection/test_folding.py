import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import cpu_offload
from transformers import AutoModelForCausalLM

from steering_core.errors import InjectionError, ModelMismatchError, SteeringError
from steering_core.injection.folding import TOLERANCE, fold
from steering_core.injection.hooks import steer
from steering_core.injection.mix import Multiplier, Steering, Window
from steering_core.injection.strengths import SteeringWarning
from steering_core.models.sites import find_sites
from steering_core.spec import SITES, ModelIdentity
from tests.steering_core.conftest import ALL_KINDS, _config

IDS = torch.tensor([[1, 3, 7, 8, 2, 4], [1, 3, 9, 6, 2, 4]])
IDENTITY = ModelIdentity("tiny", "sha256:" + "0" * 64, "Tiny", 3, 32)
KINDS = (*ALL_KINDS, "olmo2", "granite", "opt", "cohere")
# A norm (gemma, olmo2) or a scale (granite, deepseek_v4's streams) follows; experts have no linear layer.
EXPERTS = ("mixtral", "qwen3_moe", "gpt_oss")
NOT_EQUAL, NO_LINEAR = "injection.fold_not_equal", "injection.fold_no_linear"
REFUSED = {
    **dict.fromkeys(
        ((kind, "resid_post") for kind in ("gemma2", "gemma3_text", "olmo2", "granite")), NOT_EQUAL
    ),
    **dict.fromkeys(((kind, "resid_post") for kind in ("mixtral", "qwen3_moe", "gpt_oss")), NOT_EQUAL),
    **dict.fromkeys(((kind, "mlp_out") for kind in ("mixtral", "qwen3_moe", "gpt_oss")), NO_LINEAR),
    ("deepseek_v4", "resid_post@1"): NOT_EQUAL,
    ("opt", "mlp_out"): "model.no_site",
}
PLACES = [
    (kind, "resid_post@1" if (kind, site) == ("deepseek_v4", "resid_post") else site)
    for kind in KINDS
    for site in SITES
]


def small(kind, dtype=torch.float64):
    """A model of a kind, whose experts are computed in a way that has float64."""
    torch.manual_seed(0)
    config = _config(kind)
    if kind == "granite":
        config.residual_multiplier = 0.22
    model = AutoModelForCausalLM.from_config(config).eval().to(dtype)
    if hasattr(config, "num_experts_per_tok"):
        model.set_experts_implementation("eager")
    return model


def direction(seed):
    return np.random.default_rng(seed).standard_normal(32).astype(np.float32)


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


def traces(model):
    """All that folding could leave: the parameters themselves, and hooks."""
    parameters = {name: id(parameter) for name, parameter in model.named_parameters()}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    return parameters, hooks, [set(vars(m)) for m in model.modules()]


@pytest.fixture
def llama():
    return small("llama")


@pytest.mark.parametrize(("kind", "site"), PLACES)
def test_fold_each_family_and_site_equals_the_hook_or_is_refused(make_vector, kind, site):
    model = small(kind)
    vector = make_vector(IDENTITY, {f"{site}.1": direction(1)})
    plain, before = logits(model), traces(model)

    if code := REFUSED.get((kind, site)):
        with pytest.raises(SteeringError) as refused:
            fold(model, [(vector, 0.3)])
        assert refused.value.code == code
    else:
        with steer(model, [(vector, 0.3)]):
            hooked = logits(model)
        with fold(model, [(vector, 0.3)]):
            assert torch.allclose(logits(model), hooked, rtol=0, atol=1e-12)
        assert (hooked - plain).abs().max() > 1e-3

    assert torch.equal(logits(model), plain)
    assert traces(model) == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_neox"])
def test_fold_each_dtype_moves_the_block_as_the_hook_does(make_vector, kind, dtype):
    model, seen = small(kind, dtype), []
    vector = make_vector(IDENTITY, {"resid_post.1": direction(1)})
    handle = find_sites(model).blocks[1].register_forward_hook(lambda m, i, o: seen.append(o))
    with fold(model, [(vector, 0.3)]):
        seen.clear()
        logits(model)
    handle.remove()
    with steer(model, [(vector, 0.3)]):
        handle = find_sites(model).blocks[1].register_forward_hook(lambda m, i, o: seen.append(o))
        logits(model)
        handle.remove()
    folded, hooked = (output.double() for output in seen)

    assert seen[0].dtype == dtype
    assert (folded - hooked).norm(dim=-1).max() < TOLERANCE[dtype] * hooked.norm(dim=-1).max()


@pytest.mark.parametrize("kind", ["gemma2", "granite", "mixtral"])
def test_fold_half_precision_still_refuses_what_is_not_equal(make_vector, kind):
    with pytest.raises(InjectionError, match="does not move resid_post"):
        fold(small(kind, torch.bfloat16), [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.01)])


def test_fold_many_vectors_in_one_bias_add_up(make_vector, llama):
    everywhere = {f"{site}.{block}": direction(block) for site in SITES for block in range(3)}
    vectors = [
        (make_vector(IDENTITY, everywhere), 0.1),
        (make_vector(IDENTITY, {"mlp_out.2": direction(7)}), -0.2),
    ]
    with steer(llama, vectors):
        hooked = logits(llama)
    with fold(llama, vectors) as folded:
        assert torch.allclose(logits(llama), hooked, rtol=0, atol=1e-6)
        assert len(folded.linears) == 6


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_undo_after_the_model_was_moved_follows_it(make_vector, kind):
    model = small(kind, torch.float32)
    expected = logits(copy.deepcopy(model).double())
    folded = fold(model, [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.3)])
    model.double()
    folded.undo()

    assert torch.equal(logits(model), expected)


def test_undo_exception_inside_and_a_second_call_leave_no_trace(make_vector, llama):
    before = traces(llama)
    with (
        pytest.raises(KeyboardInterrupt),
        fold(llama, [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.3)]) as folded,
    ):
        raise KeyboardInterrupt
    folded.undo()

    assert traces(llama) == before
    assert folded.linears == ()


def test_fold_place_that_is_folded_is_locked_until_undone(make_vector, llama):
    vectors = [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.3)]
    first = fold(llama, vectors)
    steered = logits(llama)
    for site in ("resid_post", "mlp_out"):
        with pytest.raises(InjectionError, match="undo that first") as refused:
            fold(llama, [(make_vector(IDENTITY, {f"{site}.1": direction(2)}), 0.3)])
        assert refused.value.code == "injection.fold_locked"
    assert torch.equal(logits(llama), steered)
    fold(llama, [(make_vector(IDENTITY, {"resid_post.2": direction(2)}), 0.3)]).undo()
    first.undo()

    fold(llama, vectors).undo()


def test_fold_one_place_refused_leaves_the_others_alone(make_vector):
    model = small("deepseek_v2")
    before = traces(model)
    vector = make_vector(IDENTITY, {"attn_out.0": direction(1), "resid_post@1.1": direction(2)})

    with pytest.raises(SteeringError, match="one only"):
        fold(model, [(vector, 0.3)])
    assert traces(model) == before


def test_fold_strength_zero_changes_nothing(make_vector, llama):
    before = traces(llama)
    folded = fold(llama, [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.0)])

    assert folded.linears == ()
    assert traces(llama) == before


def test_fold_training_mode_is_refused(make_vector, llama):
    with pytest.raises(InjectionError, match="eval") as refused:
        fold(llama.train(), [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.3)])
    assert refused.value.code == "injection.fold_training"


@pytest.mark.parametrize(
    "how",
    [
        {"operation": "project"},
        {"operation": "clamp", "interval": (0.0, 1.0)},
        {"keep_norm": True},
        {"positions": "response"},
        {"positions": Window(1, 3)},
        {"strength": [0.1, 0.2]},
    ],
)
def test_fold_what_differs_between_tokens_or_rows_is_refused(make_vector, llama, how):
    vector, before = make_vector(IDENTITY, {"resid_post.1": direction(1)}), traces(llama)
    with pytest.raises(InjectionError, match="holds a constant") as refused:
        fold(llama, [Steering(vector, **{"strength": 0.3, **how})])

    assert refused.value.code == "injection.fold_operation"
    assert traces(llama) == before


def test_fold_takes_a_multiplier_as_steer_does(make_vector, llama):
    item = Steering(make_vector(IDENTITY, {"resid_post.1": direction(1)}), Multiplier(0.5))
    with steer(llama, [item]):
        hooked = logits(llama)
    with fold(llama, [item]):
        assert torch.allclose(logits(llama), hooked, rtol=0, atol=1e-12)


def test_fold_other_revision_is_a_mismatch(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    other = replace(lm.identity, model_hash="sha256:" + "1" * 64)

    vectors = [(make_vector(other, {"resid_post.1": direction(1)}), 0.3)]
    with pytest.raises(ModelMismatchError):
        fold(lm, vectors)
    fold(lm, vectors, made_for=other.model_hash).undo()


# The one quantisation that torch itself runs on any CPU; it is deprecated for torchao.
@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_fold_quantised_model_is_refused(make_vector):
    model = small("llama", torch.float32)
    quantised = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)

    with pytest.raises(InjectionError, match=r"dynamic.*Linear; expected") as refused:
        fold(quantised, [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.3)])
    assert refused.value.code == "injection.fold_module"


def test_fold_offloaded_model_is_refused(make_vector):
    model = small("llama", torch.float32)
    cpu_offload(model)

    with pytest.raises(InjectionError, match="offloaded") as refused:
        fold(model, [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.3)])
    assert refused.value.code == "injection.fold_module"


def test_fold_block_that_runs_twice_is_refused(make_vector, llama):
    llama.model.layers[2] = llama.model.layers[1]

    with pytest.raises(InjectionError, match="in 2 blocks") as refused:
        fold(llama, [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.3)])
    assert refused.value.code == "injection.fold_module"


def test_fold_outside_the_window_warns_at_the_callers_line(make_vector, llama):
    vector = make_vector(IDENTITY, {"resid_post.1": direction(1)}, window=(-0.1, 0.1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SteeringWarning)
        fold(llama, [(vector, 0.3)]).undo()

    assert [warning.filename for warning in caught] == [__file__]


def test_fold_generation_equals_the_hooks(make_vector, llama):
    vectors = [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.6)]
    plain = llama.generate(IDS, max_new_tokens=20, do_sample=False)
    with steer(llama, vectors):
        hooked = llama.generate(IDS, max_new_tokens=20, do_sample=False)
    with fold(llama, vectors):
        folded = llama.generate(IDS, max_new_tokens=20, do_sample=False)

    assert torch.equal(folded, hooked)
    assert not torch.equal(folded, plain)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_fold_compiled_model_follows(make_vector, kind):
    model = small(kind)
    vectors = [(make_vector(IDENTITY, {"resid_post.1": direction(1)}), 0.3)]
    with steer(model, vectors):
        hooked = logits(model)
    compiled = torch.compile(model, backend="eager")
    plain = logits(compiled)
    with fold(model, vectors):
        assert torch.allclose(logits(compiled), hooked, rtol=0, atol=1e-12)

    assert torch.equal(logits(compiled), plain)
