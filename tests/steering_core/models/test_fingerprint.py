import json
from collections.abc import Callable
from pathlib import Path

import pytest

from steering_core.errors import ModelError
from steering_core.models.fingerprint import model_fingerprint

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 4,
    "hidden_size": 64,
    "vocab_size": 300,
    "max_position_embeddings": 256,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A base model folder as far as its files go; the weights are never opened here."""
    model = tmp_path / "tiny"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(CONFIG))
    (model / "tokenizer.json").write_text("{}")
    (model / "tokenizer_config.json").write_text('{"bos_token":"<bos>"}')
    (model / "model.safetensors").write_bytes(b"weights")
    return model


def _edit_config(folder: Path, **changes: object) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))


def _index(folder: Path, shard: str) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head": shard}}))


def test_model_fingerprint_good_folder_gives_sizes_and_hash(folder: Path) -> None:
    found = model_fingerprint(folder)

    assert (found.architecture, found.n_layers, found.d_model) == ("LlamaForCausalLM", 4, 64)
    assert (found.vocab_size, found.max_positions) == (300, 256)
    assert set(found.files) == {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"}
    assert found.model_hash.startswith("sha256:")


def test_model_fingerprint_readme_and_place_do_not_matter(folder: Path) -> None:
    before = model_fingerprint(folder)
    (folder / "README.md").write_text("A model.")
    moved = folder.rename(folder.parent / "elsewhere")

    assert model_fingerprint(moved) == before


@pytest.mark.parametrize(
    "name",
    ["config.json", "tokenizer.json", "model.safetensors", "chat_template.jinja", "generation_config.json"],
)
def test_model_fingerprint_any_deciding_file_changes_the_hash(folder: Path, name: str) -> None:
    before = model_fingerprint(folder).model_hash
    if name == "config.json":
        _edit_config(folder, rope_theta=1.0)
    else:
        (folder / name).write_text('{"changed": 1}')

    assert model_fingerprint(folder).model_hash != before


def test_model_fingerprint_gpt2_names_are_understood(folder: Path) -> None:
    names = {"n_layer": 3, "n_embd": 32, "n_positions": 64, "vocab_size": 50}
    (folder / "config.json").write_text(json.dumps({"architectures": ["GPT2LMHeadModel"], **names}))
    found = model_fingerprint(folder)

    assert (found.n_layers, found.d_model, found.max_positions) == (3, 32, 64)


def test_model_fingerprint_sharded_weights_are_all_hashed(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    _index(folder, "model-00001-of-00001.safetensors")

    assert "model-00001-of-00001.safetensors" in model_fingerprint(folder).files


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "139-auto_map": (lambda f: _edit_config(f, auto_map={"AutoModel": "m.M"}), "model.remote_code"),
    "140-attn": (lambda f: _edit_config(f, _attn_implementation_internal="a/b"), "model.attention_internal"),
    "141-trust": (lambda f: _edit_config(f, text_config={"trust_remote_code": True}), "model.remote_code"),
    "142-py-file": (lambda f: (f / "modeling_tiny.py").write_text("1"), "model.remote_code"),
    "143-bin-only": (
        lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
        "model.pickled_weights",
    ),
    "144-index-path": (lambda f: _index(f, "../../secret.safetensors"), "model.index_path"),
    "144-index-not-safetensors": (lambda f: _index(f, "pytorch_model.bin"), "model.index_path"),
    "145-shard-missing": (lambda f: _index(f, "model-00002-of-00002.safetensors"), "model.shard_missing"),
    "tokenizer-auto_map": (
        lambda f: (f / "tokenizer_config.json").write_text('{"auto_map":{}}'),
        "model.remote_code",
    ),
    "no-config": (lambda f: (f / "config.json").unlink(), "model.no_config"),
    "no-weights": (lambda f: (f / "model.safetensors").unlink(), "model.no_weights"),
    "config-not-json": (lambda f: (f / "config.json").write_text("{'a': 1}"), "model.config_invalid"),
    "config-list": (lambda f: (f / "config.json").write_text("[]"), "model.config_invalid"),
    "config-latin1": (lambda f: (f / "config.json").write_bytes(b'{"a":"\xe9"}'), "model.config_invalid"),
    "no-sizes": (lambda f: _edit_config(f, num_hidden_layers=None), "model.config_invalid"),
    "no-architecture": (lambda f: _edit_config(f, architectures=[]), "model.config_invalid"),
    "index-empty": (lambda f: (f / "model.safetensors.index.json").write_text("{}"), "model.index_invalid"),
}


@pytest.mark.parametrize("name", HARM)
def test_model_fingerprint_unsafe_or_incomplete_folder_is_refused(folder: Path, name: str) -> None:
    harm, code = HARM[name]
    harm(folder)

    with pytest.raises(ModelError) as caught:
        model_fingerprint(folder)

    assert caught.value.code == code


def test_model_fingerprint_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        model_fingerprint(tmp_path / "nowhere")

    assert caught.value.code == "model.no_config"
