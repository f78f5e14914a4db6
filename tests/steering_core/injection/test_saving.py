import json
import os
import stat

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from steering_core.errors import InjectionError, ModelMismatchError
from steering_core.injection.folding import fold
from steering_core.injection.hooks import steer
from steering_core.injection.saving import NOTE, save_folded
from steering_core.models.fingerprint import model_fingerprint
from steering_core.models.load import load_model

IDS = torch.tensor([[1, 3, 7, 8, 2, 4], [1, 3, 9, 6, 2, 4]])


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


@pytest.fixture
def make(make_vector):
    """(model, site) -> a vector at its middle block."""
    direction = np.random.default_rng(1).standard_normal(32).astype(np.float32)
    return lambda lm, site="resid_post": make_vector(lm.identity, {f"{site}.1": direction})


@pytest.mark.parametrize(
    ("kind", "site", "settings"),
    [
        ("llama", "resid_post", {"mlp_bias": True, "attention_bias": False}),
        ("llama", "attn_out", {"mlp_bias": False, "attention_bias": True}),
        ("qwen3", "attn_out", {"attention_bias": True}),
        ("gemma2", "attn_out", {"attention_bias": True}),
        ("gpt2", "resid_post", {}),
        ("gpt_neox", "resid_post", {"attention_bias": True}),
    ],
)
def test_save_folded_any_transformers_loads_a_steered_model(tiny_lm, make, tmp_path, kind, site, settings):
    lm, folder = tiny_lm(kind), tmp_path / "steered"
    vectors, plain = [(make(lm, site), 0.3)], logits(lm.model)
    parameters = [*map(id, lm.model.parameters())]
    save_folded(lm, vectors, folder)
    with steer(lm, vectors):
        hooked = logits(lm.model)
    loaded = AutoModelForCausalLM.from_pretrained(folder)

    assert torch.allclose(logits(loaded), hooked, atol=1e-5)
    assert not torch.allclose(hooked, plain, atol=1e-2)
    assert {name: getattr(loaded.config, name) for name in settings} == settings
    assert AutoTokenizer.from_pretrained(folder).chat_template == lm.tokenizer.chat_template
    assert torch.equal(logits(lm.model), plain)
    assert [*map(id, lm.model.parameters())] == parameters
    assert [item.name for item in tmp_path.iterdir()] == ["steered"]


def test_save_folded_note_says_what_was_folded_and_a_vector_no_longer_fits(tiny_lm, make, tmp_path):
    lm, folder = tiny_lm("llama"), tmp_path / "steered"
    vector = make(lm)
    save_folded(lm, [(vector, 0.3)], folder)
    note = json.loads((folder / NOTE).read_text())
    card = (folder / "README.md").read_text()

    assert note["base_model"] == {
        "name": lm.identity.name,
        "model_hash": lm.identity.model_hash,
        "is_checked": True,
    }
    assert note["vectors"][0]["tensor_digest"] == vector.tensor_digest
    assert note["vectors"][0]["strengths"] == {"resid_post.1": 0.3}
    assert f"`{vector.tensor_digest}` at resid_post.1: 0.3" in card
    assert model_fingerprint(folder).model_hash != lm.identity.model_hash
    with pytest.raises(ModelMismatchError), steer(load_model(folder), [(vector, 0.3)]):
        pass


def test_save_folded_model_alone_is_saved_without_a_tokenizer(tiny_lm, make, tmp_path):
    lm, folder = tiny_lm("llama"), tmp_path / "steered"
    save_folded(lm.model, [(make(lm), 0.3)], folder)

    assert not (folder / "tokenizer.json").exists()
    assert json.loads((folder / NOTE).read_text())["base_model"]["is_checked"] is False


def test_save_folded_half_precision_keeps_its_dtype(model_folder, make, tmp_path):
    lm = load_model(model_folder("llama"), dtype="bfloat16")
    save_folded(lm, [(make(lm), 0.3)], tmp_path / "steered")

    assert AutoModelForCausalLM.from_pretrained(tmp_path / "steered").dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("kind", "site"), [("mistral", "resid_post"), ("qwen2", "resid_post"), ("phi3", "attn_out")]
)
def test_save_folded_bias_that_loading_would_drop_is_refused(tiny_lm, make, tmp_path, kind, site):
    lm = tiny_lm(kind)
    with pytest.raises(InjectionError, match="drop the vector") as refused:
        save_folded(lm, [(make(lm, site), 0.3)], tmp_path / "steered")

    assert refused.value.code == "injection.save_no_bias"
    assert not list(tmp_path.iterdir())
    fold(lm, [(make(lm, site), 0.3)]).undo()


def test_save_folded_files_that_give_other_logits_are_not_kept(tiny_lm, make, tmp_path):
    lm = tiny_lm("llama")
    # Not in the files, so not in what is loaded.
    handle = lm.model.model.layers[2].register_forward_hook(lambda m, i, output: output.flip(-1))
    try:
        with pytest.raises(InjectionError, match="other logits") as refused:
            save_folded(lm, [(make(lm), 0.3)], tmp_path / "steered")
    finally:
        handle.remove()

    assert refused.value.code == "injection.save_differs"
    assert not list(tmp_path.iterdir())


def test_save_folded_existing_folder_is_never_overwritten(tiny_lm, make, tmp_path):
    lm = tiny_lm("llama")
    with pytest.raises(InjectionError, match="never overwritten") as refused:
        save_folded(lm, [(make(lm), 0.3)], tmp_path)

    assert refused.value.code == "injection.save_folder"
    assert not list(tmp_path.iterdir())


def test_save_folded_strength_zero_has_nothing_to_save(tiny_lm, make, tmp_path):
    lm = tiny_lm("llama")
    with pytest.raises(InjectionError, match="nothing to save"):
        save_folded(lm, [(make(lm), 0.0)], tmp_path / "steered")

    assert not list(tmp_path.iterdir())


def test_save_folded_folder_may_be_read_as_any_other(tiny_lm, make, tmp_path):
    lm, folder = tiny_lm("llama"), tmp_path / "steered"
    save_folded(lm, [(make(lm), 0.3)], folder)
    umask = os.umask(0)
    os.umask(umask)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~umask
