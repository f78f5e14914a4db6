"""The model hash: one digest over all files that decide what a base model does. No torch.

`load` compares it before it loads the folder.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steering_core.errors import FormatError, ModelError
from steering_core.spec import canonical_json, digest, parse_json

MAX_CONFIG_BYTES = 4 * 1024 * 1024
MAX_INDEX_BYTES = 64 * 1024 * 1024

_CONFIG = "config.json"
_INDEX = "model.safetensors.index.json"
_HASHED = re.compile(
    r"config\.json|generation_config\.json|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json"
    r"|chat_template\..+|.+\.safetensors|model\.safetensors\.index\.json"
)
_SHARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_CODE_KEYS = ("auto_map", "trust_remote_code")
_ATTENTION_KEY = "_attn_implementation_internal"


@dataclass(frozen=True, slots=True)
class ModelFingerprint:
    """What a folder is, read from its files only; sizes are counts, `max_positions` is 0 where unknown."""

    model_hash: str
    files: dict[str, str]
    architecture: str
    n_layers: int
    d_model: int
    vocab_size: int
    max_positions: int


def model_fingerprint(path: Path) -> ModelFingerprint:
    """Hash a base model folder in the Hugging Face layout; the same files anywhere give the same hash.

    The model hash is the sha256 of the canonical JSON {file name: sha256 hex} over configuration, tokenizer,
    chat templates and safetensors weights; a readme or a licence does not change it.

    Raises:
        ModelError: files are missing, weights are pickled, or the folder asks for code to be run.
    """
    if not (path / _CONFIG).is_file():
        raise ModelError(
            f"{path.name!r} holds no {_CONFIG}; expected a folder as save_pretrained writes it",
            code="model.no_config",
        )
    _refuse_code(path)
    config = _read_json(path / _CONFIG, MAX_CONFIG_BYTES)
    _check_weights(path)
    names = sorted(item.name for item in path.iterdir() if item.is_file() and _HASHED.fullmatch(item.name))
    files = {name: _sha256(path / name) for name in names}
    text = config["text_config"] if isinstance(config.get("text_config"), dict) else config
    return ModelFingerprint(
        model_hash=digest(canonical_json(files)),
        files=files,
        architecture=_architecture(config),
        n_layers=_size(text, "num_hidden_layers", "n_layer", "num_layers"),
        d_model=_size(text, "hidden_size", "n_embd", "d_model"),
        vocab_size=_size(text, "vocab_size"),
        max_positions=_optional_size(text, "max_position_embeddings", "n_positions"),
    )


def _refuse_code(path: Path) -> None:
    script = next((item for item in sorted(path.rglob("*")) if item.suffix in (".py", ".pyc", ".so")), None)
    if script is not None:
        raise ModelError(
            f"{script.name!r} is code; a base model is loaded without running any, so take it out or choose "
            "a model of an architecture that transformers has",
            code="model.remote_code",
        )
    for name in (_CONFIG, "tokenizer_config.json", "generation_config.json"):
        if not (path / name).is_file():
            continue
        for key in _keys(_read_json(path / name, MAX_CONFIG_BYTES)):
            if key in _CODE_KEYS:
                raise ModelError(
                    f"{name} sets {key}, which asks for code from the folder to be run; it is never run here",
                    code="model.remote_code",
                )
            if key == _ATTENTION_KEY:
                raise ModelError(
                    f"{name} sets {key}, which makes loading fetch a kernel; take it out",
                    code="model.attention_internal",
                )


def _keys(value: Any) -> Iterator[str]:
    """Every key at any depth."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield from item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _check_weights(path: Path) -> None:
    shards = {item.name for item in path.glob("*.safetensors") if item.is_file()}
    if (path / _INDEX).is_file():
        _check_index(path, shards)
    elif not shards:
        pickled = sorted(item.name for item in path.iterdir() if item.suffix in _PICKLED)
        if pickled:
            raise ModelError(
                f"the weights are pickled ({pickled[0]}); pickles run code when they are read, so convert "
                "them to safetensors",
                code="model.pickled_weights",
            )
        raise ModelError("the folder holds no *.safetensors weights; add them", code="model.no_weights")


def _check_index(path: Path, shards: set[str]) -> None:
    weight_map = _read_json(path / _INDEX, MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError(f"{_INDEX} has no weight_map; download it again", code="model.index_invalid")
    for shard in sorted({str(name) for name in weight_map.values()}):
        if not _SHARD.fullmatch(shard):
            raise ModelError(
                f"{_INDEX} points to {shard[:80]!a}; expected the name of a *.safetensors file beside it",
                code="model.index_path",
            )
        if shard not in shards:
            raise ModelError(
                f"{shard} stands in {_INDEX} but not in the folder; add it", code="model.shard_missing"
            )


def _read_json(file: Path, most: int) -> dict[str, Any]:
    if (size := file.stat().st_size) > most:
        raise ModelError(
            f"{file.name} has {size:,} bytes; at most {most:,} are read", code="model.config_invalid"
        )
    try:
        value = parse_json(file.read_bytes().decode("utf-8"))
    except (FormatError, UnicodeDecodeError) as error:
        raise ModelError(f"{file.name} cannot be read: {error}", code="model.config_invalid") from error
    if not isinstance(value, dict):
        raise ModelError(f"{file.name} is no JSON object", code="model.config_invalid")
    return value


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _architecture(config: dict[str, Any]) -> str:
    names = config.get("architectures")
    name = names[0] if isinstance(names, list) and names else None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_]{1,100}", name):
        raise ModelError(
            f"{_CONFIG} names no architecture; expected for example ['LlamaForCausalLM']",
            code="model.config_invalid",
        )
    return name


def _size(config: dict[str, Any], *names: str) -> int:
    found = _optional_size(config, *names)
    if not found:
        raise ModelError(
            f"{_CONFIG} gives no {names[0]}; expected an integer above 0", code="model.config_invalid"
        )
    return found


def _optional_size(config: dict[str, Any], *names: str) -> int:
    values = (config.get(name) for name in names)
    return next((value for value in values if type(value) is int and value > 0), 0)
