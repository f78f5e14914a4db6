"""Persona Vectors' and lm-eval's files, and the script of plain hooks, against the models that they steer."""

import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given

from steering_core.client.conversion import torch_bytes
from steering_core.errors import FormatError
from steering_core.formats import lm_eval, persona, python_hook
from steering_core.formats.loose import LooseVector, loosen
from steering_core.injection.hooks import steer
from steering_core.vector import SteeringVector
from tests.loose_vectors import N_LAYERS, loose_vector, loose_vectors
from tests.steering_core.conftest import ALL_KINDS, WIDTH

IDS = torch.arange(6, 16)[None]
KINDS = ("llama", "gpt2", "gpt_neox", "gemma2", "mixtral")
ACTS = [("add", 0.3), ("add", -0.3), ("project", 1.0), ("clamp", 1.0), ("clamp", -1.0)]


@pytest.fixture
def vector_for(tiny_lm: Any, make_vector: Any) -> Callable[..., SteeringVector]:
    """(kind, site, operation) -> a vector at the middle block of a tiny model."""

    def make(kind: str, site: str, operation: str = "add") -> SteeringVector:
        row = np.random.default_rng(1).normal(size=WIDTH).astype(np.float32)
        points = {f"{site}.1": (-1.0, 2.0)}
        vector: SteeringVector = make_vector(
            tiny_lm(kind).identity, {f"{site}.1": row}, operation=operation, set_points=points
        )
        return vector

    return make


def logits(lm: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = lm.model(IDS).logits
    return found


def loaded(payload: object) -> Any:
    """What torch's safe loader makes of the file."""
    return torch.load(BytesIO(torch_bytes(payload)), weights_only=True)  # noqa: TID251


def steered_by_lm_eval(lm: Any, payload: object) -> torch.Tensor:
    """As hf_steered.py of lm-eval 0.4.13 does it: modules by name, one action each."""
    modules = dict(lm.model.base_model.named_modules())

    def hook(said: dict[str, Any]) -> Any:
        assert (said["bias"], said["head_index"]) == (None, None)
        vector, factor = said["steering_vector"], said["steering_coefficient"]

        def act(hidden: torch.Tensor) -> torch.Tensor:
            if said["action"] == "add":
                return hidden + vector * factor
            unit = vector / torch.norm(vector)
            return hidden + unit * (factor - torch.sum(hidden * unit, dim=-1, keepdim=True))

        def run(module: object, args: object, output: Any) -> Any:
            return (act(output[0]), *output[1:]) if isinstance(output, tuple) else act(output)

        return run

    with ExitStack() as undo:
        for name, said in loaded(payload).items():
            undo.callback(modules[name].register_forward_hook(hook(said)).remove)
        return logits(lm)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_lm_eval_modules_are_those_of_the_sites(tiny_lm: Any, make_vector: Any, kind: str) -> None:
    lm = tiny_lm(kind)
    sites = lm_eval.SITES if lm.sites.streams == 1 else ("mlp_out", "attn_out")
    vector = make_vector(lm.identity, {f"{site}.1": np.ones(WIDTH) for site in sites})
    modules = dict(lm.model.base_model.named_modules())

    named = lm_eval.export(loosen(vector)).torch_payload

    assert {id(modules[name]) for name in named} == {id(lm.sites.module(site, 1)) for site in sites}


@pytest.mark.parametrize(("operation", "strength"), ACTS)
@pytest.mark.parametrize("site", lm_eval.SITES)
def test_lm_eval_file_steers_as_steer_does(
    tiny_lm: Any, vector_for: Any, site: str, operation: str, strength: float
) -> None:
    for kind in KINDS:
        lm, vector = tiny_lm(kind), vector_for(kind, site, operation)
        with steer(lm, [(vector, strength)]):
            ours = logits(lm)

        theirs = steered_by_lm_eval(lm, lm_eval.export(loosen(vector, strength)).torch_payload)

        torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-5)
        assert (ours - logits(lm)).abs().max() > 1e-3


def test_lm_eval_coefficient_is_the_multiplier() -> None:
    exported = lm_eval.export(loose_vector(multiplier=-2.5))

    assert list(exported.torch_payload) == ["layers.1", "layers.3"]
    assert {said["steering_coefficient"] for said in exported.torch_payload.values()} == {-2.5}
    assert "layers.1, layers.3" in exported.usage


@pytest.mark.parametrize(
    ("loose", "code"),
    [
        (loose_vector("resid_post@2"), "engine.site"),
        (loose_vector(operation="project", multiplier=0.5), "engine.multiplier"),
        (loose_vector(operation="clamp"), "engine.set_points"),
        (
            loose_vector(operation="project", directions={"resid_post.1": np.zeros(3)}),
            "engine.zero",
        ),
    ],
)
def test_lm_eval_of_what_it_would_misread_is_refused(loose: LooseVector, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        lm_eval.export(loose)

    assert caught.value.code == code


def test_lm_eval_clamp_of_a_share_is_refused(vector_for: Any) -> None:
    with pytest.raises(FormatError) as caught:
        lm_eval.export(loosen(vector_for("llama", "mlp_out", "clamp"), 0.5))

    assert caught.value.code == "engine.multiplier"


@given(loose_vectors())
def test_persona_rows_are_one_past_the_blocks(loose: LooseVector) -> None:
    if loose.n_layers is None:
        with pytest.raises(FormatError) as caught:
            persona.export(loose)
        assert caught.value.code == "engine.n_layers"
        return
    rows = loaded(persona.export(loose).torch_payload)

    assert (rows.dtype, tuple(rows.shape)) == (torch.float32, (N_LAYERS + 1, loose.d_model))
    assert not rows[0].any()
    for block in range(N_LAYERS):
        has = block in loose.blocks("resid_post")
        expected = loose.at("resid_post", block) if has else np.zeros(loose.d_model, np.float32)
        assert rows[block + 1].numpy().tobytes() == expected.tobytes()


def test_persona_file_steers_as_steer_does(tiny_lm: Any, vector_for: Any) -> None:
    """`--layer k` takes row k and adds it after block k - 1."""
    lm, vector = tiny_lm("llama"), vector_for("llama", "resid_post")
    with steer(lm, [(vector, 0.3)]):
        ours = logits(lm)

    exported = persona.export(loosen(vector, 0.3))
    layer = int(re.findall(r"--coef 1 --layer (\d+)\n", exported.usage)[0])
    row = loaded(exported.torch_payload)[layer]
    handle = lm.model.model.layers[layer - 1].register_forward_hook(lambda module, args, out: out + 1.0 * row)
    theirs = logits(lm)
    handle.remove()

    assert torch.equal(theirs, ours)


@pytest.mark.parametrize(
    ("loose", "code"),
    [(loose_vector(operation="project"), "engine.operation"), (loose_vector("mlp_out"), "engine.site")],
)
def test_persona_of_what_it_cannot_say_is_refused(loose: LooseVector, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        persona.export(loose)

    assert caught.value.code == code


def test_persona_of_several_blocks_warns_that_one_is_applied() -> None:
    assert "one layer only" in persona.export(loose_vector()).warnings[0]


def script(loose: LooseVector, folder: Path) -> ModuleType:
    """The exported script, written and imported."""
    exported = python_hook.export(loose)
    file = folder / "steer_it.py"
    file.write_bytes(exported.data)
    file.with_suffix(".safetensors").write_bytes(exported.sidecars[".safetensors"])
    module = ModuleType("steer_it")
    module.__file__ = str(file)
    exec(compile(exported.data, file, "exec"), module.__dict__)
    return module


@pytest.mark.parametrize(("operation", "strength"), [*ACTS, ("project", -0.5), ("clamp", 0.7)])
@pytest.mark.parametrize("site", lm_eval.SITES)
def test_python_script_steers_bit_for_bit_as_steer_does(
    tiny_lm: Any, vector_for: Any, tmp_path: Path, site: str, operation: str, strength: float
) -> None:
    for kind in KINDS:
        lm, vector = tiny_lm(kind), vector_for(kind, site, operation)
        plain = logits(lm)
        with steer(lm, [(vector, strength)]):
            ours = logits(lm)

        with script(loosen(vector, strength), tmp_path).steered(lm.model):
            theirs = logits(lm)

        assert torch.equal(theirs, ours)
        assert not torch.equal(ours, plain)
        assert torch.equal(logits(lm), plain)


@pytest.mark.parametrize("site", ["resid_post@2", "mlp_out", "attn_out"])
def test_python_script_steers_one_of_several_streams(
    tiny_lm: Any, vector_for: Any, tmp_path: Path, site: str
) -> None:
    lm, vector = tiny_lm("deepseek_v4"), vector_for("deepseek_v4", site)
    with steer(lm, [(vector, 0.3)]):
        ours = logits(lm)

    with script(loosen(vector, 0.3), tmp_path).steered(lm.model):
        theirs = logits(lm)

    assert torch.equal(theirs, ours)


@pytest.mark.parametrize(("operation", "strength"), ACTS)
def test_python_script_below_float32_rounds_as_steer_does(
    tiny_lm: Any, vector_for: Any, tmp_path: Path, operation: str, strength: float
) -> None:
    lm, vector = tiny_lm("llama"), vector_for("llama", "resid_post", operation)
    hidden = torch.randn(1, 5, WIDTH, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    block = lm.sites.module("resid_post", 1)
    seen = []
    for context in (
        steer(lm, [(vector, strength)]),
        script(loosen(vector, strength), tmp_path).steered(lm.model),
    ):
        with context:
            (hook,) = block._forward_hooks.values()
            seen.append(hook(block, (), hidden))

    assert seen[0].dtype is torch.bfloat16
    assert torch.equal(*seen)


def test_python_script_refuses_a_model_of_another_size(tiny_lm: Any, tmp_path: Path) -> None:
    steered = script(loose_vector(), tmp_path).steered

    with (
        pytest.raises(ValueError, match="width 32; the vector is for 12 of width 6"),
        steered(tiny_lm("llama").model),
    ):
        pass


def test_python_script_runs_alone(model_folder: Any, vector_for: Any, tmp_path: Path) -> None:
    script(loosen(vector_for("llama", "resid_post"), 0.3), tmp_path)

    ran = subprocess.run(
        [sys.executable, "-I", tmp_path / "steer_it.py", model_folder("llama"), "the cat"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "--- multiplier 0" in ran.stdout
    assert "--- multiplier 1" in ran.stdout
    assert "steering_core" not in python_hook.export(loose_vector()).data.decode()


def test_python_script_holds_names_as_quoted_ascii(tmp_path: Path) -> None:
    name = 'a"""\n\'); import os  # <OPERATION> {x} é \udc80'
    module = script(loose_vector(model=name), tmp_path)

    assert module.OPERATION == "add"
    assert module.MODEL.startswith('a"""\\n\'); import os  # <OPERATION> {x} é')


@pytest.mark.parametrize(
    ("loose", "code"),
    [
        (loose_vector(operation="clamp"), "engine.set_points"),
        (loose_vector(multiplier=float("inf")), "engine.multiplier"),
        (loose_vector(operation="project", directions={"mlp_out.1": np.zeros(3)}), "engine.zero"),
    ],
)
def test_python_script_of_what_cannot_be_meant_is_refused(loose: LooseVector, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        python_hook.export(loose)

    assert caught.value.code == code
