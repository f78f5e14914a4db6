import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from steering_core.errors import ModelError, ModelMismatchError
from steering_core.models.load import load_model


def test_load_model_tiny_folder_is_float32_evaluation_and_named(tiny_lm):
    lm = tiny_lm("llama")

    assert not lm.model.training
    assert {p.dtype for p in lm.model.parameters()} == {torch.float32}
    assert lm.model.config._attn_implementation == "sdpa"
    assert (lm.identity.n_layers, lm.identity.d_model, lm.max_positions) == (3, 32, 64)
    assert lm.identity.model_hash.startswith("sha256:")
    assert lm.end_ids == {2}


def test_load_model_expected_hash_is_checked(model_folder, tiny_lm):
    folder = model_folder("llama")

    assert load_model(folder, expected_hash=tiny_lm("llama").identity.model_hash).identity.name == folder.name
    with pytest.raises(ModelMismatchError, match="expected sha256:00"):
        load_model(folder, expected_hash="sha256:" + "0" * 64)


def test_load_model_changed_weight_file_is_another_model(model_folder, tiny_lm, tmp_path):
    folder = shutil.copytree(model_folder("llama"), tmp_path / "changed")
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)

    with pytest.raises(ModelMismatchError):
        load_model(folder, expected_hash=tiny_lm("llama").identity.model_hash)


def test_load_model_broken_weight_file_is_refused_plainly(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("llama"), tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(bytes(100))

    with pytest.raises(ModelError, match="broken could not be loaded"):
        load_model(folder)


def test_load_model_missing_tensor_is_refused_and_not_made_up(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("llama"), tmp_path / "lacking")
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ModelError, match=r"model\.layers\.1\.mlp\.up_proj") as caught:
        load_model(folder)
    assert caught.value.code == "model.missing_weights"
