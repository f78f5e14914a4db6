"""Writes a model with vectors folded into it as a plain checkpoint, steered in any program that loads it."""

import copy
import json
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from steering_core.errors import InjectionError
from steering_core.injection.folding import TOLERANCE, Folded, fold, random_ids
from steering_core.injection.mix import Item, Steering, as_steering
from steering_core.injection.strengths import row_strengths
from steering_core.models.load import LanguageModel

NOTE = "bearing_steering.json"


def save_folded(
    model: LanguageModel | PreTrainedModel,
    vectors: Sequence[Item],
    folder: Path,
    *,
    made_for: str | None = None,
) -> None:
    """Save a steered checkpoint: weights, configuration, tokenizer, and what was folded into it.

    Where a linear layer has no bias, the configuration is asked for one (llama's `mlp_bias`), and the other
    biases that come with it are zero. The files are loaded again and must give the logits of the folded
    model before they are put in place, so memory for the model twice is needed. The weights keep the dtype
    that the model is loaded in. `model` is as it was when this returns.

    Args:
        model: a `LanguageModel`, or a model alone, which is saved without a tokenizer and whose model hash
            the vectors are trusted on.
        vectors: as for `fold`, at least one with a strength other than 0.
        folder: where to; it must not exist, and its parent must.
        made_for: as for `steer`.

    Raises:
        InjectionError: `injection.save_folder`, `save_nothing`, `save_no_bias`: no setting of this
            architecture gives the layer a bias, so that a program that loads the files would drop it;
            `save_differs`; and what `fold` raises. Nothing is left on disk.
        ModelError: what `fold` raises.
    """
    if folder.exists() or not folder.parent.is_dir():
        raise InjectionError(
            f"{folder} exists, and is never overwritten, or is in no folder; name a new one in a folder that "
            "exists",
            code="injection.save_folder",
        )
    network = model.model if isinstance(model, LanguageModel) else model
    with fold(model, vectors, made_for=made_for) as folded:
        if not folded.linears:
            raise InjectionError(
                "no vector has a strength other than 0, so there is nothing to save",
                code="injection.save_nothing",
            )
        steered = _with_room(network, folded)
        logits = _logits(network)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        # Within the temporary folder, which only its owner may read.
        written = Path(temporary) / folder.name
        written.mkdir()
        steered.save_pretrained(written)
        if isinstance(model, LanguageModel):
            model.tokenizer.save_pretrained(written)
        note = _note(model, [as_steering(item) for item in vectors])
        (written / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        (written / "README.md").write_text(_card(note), encoding="utf-8")
        _check_reloaded(written, network, logits)
        written.rename(folder)


def _with_room(network: PreTrainedModel, folded: Folded) -> PreTrainedModel:
    """A model of the same tensors whose configuration has all biases that the folded one has."""
    paths = {module: path for path, module in network.named_modules()}
    config = _config_with_biases(network, [paths[linear] for linear in folded.linears])
    state: dict[str, Tensor] = network.state_dict()
    steered = _without_weights(network, config)
    wanted = steered.state_dict()
    # What a setting gives beside the biases that were asked for.
    for name in wanted.keys() - state.keys():
        state[name] = torch.zeros(wanted[name].shape, dtype=network.dtype, device=network.device)
    steered.load_state_dict(state, assign=True)
    steered.tie_weights()
    steered.generation_config = network.generation_config
    return steered


def _config_with_biases(network: PreTrainedModel, paths: list[str]) -> PretrainedConfig:
    """The configuration, with those of its settings turned on that give these layers a bias."""
    config = copy.deepcopy(network.config)
    text: Any = config.get_text_config()
    lacking = _lacking(network, config, paths)
    for setting in [name for name, value in text.to_dict().items() if "bias" in name and value is False]:
        if not lacking:
            break
        setattr(text, setting, True)
        still = _lacking(network, config, paths)
        if len(still) == len(lacking):
            setattr(text, setting, False)
        lacking = still
    if lacking:
        raise InjectionError(
            f"no setting of {type(network).__name__} gives {lacking[0]} a bias, so a program that loads the "
            "files would drop the vector without a word; fold or steer the model after loading it, or use a "
            "vector at another site",
            code="injection.save_no_bias",
        )
    return config


def _lacking(network: PreTrainedModel, config: PretrainedConfig, paths: list[str]) -> list[str]:
    made = _without_weights(network, config)
    return [path for path in paths if made.get_submodule(path).bias is None]


def _without_weights(network: PreTrainedModel, config: PretrainedConfig) -> PreTrainedModel:
    with torch.device("meta"):
        return type(network)(config)


def _logits(network: nn.Module) -> Tensor:
    with torch.no_grad():
        return network(input_ids=random_ids(network), use_cache=False).logits.double()  # type: ignore[no-any-return]


def _check_reloaded(written: Path, network: PreTrainedModel, logits: Tensor) -> None:
    reloaded: Any = AutoModelForCausalLM.from_pretrained(
        written,
        dtype=network.dtype,
        attn_implementation=network.config._attn_implementation,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    loaded, found = reloaded
    strange = sorted([*found["missing_keys"], *found["unexpected_keys"]])
    differs = float((_logits(loaded.eval().to(network.device)) - logits).norm() / logits.norm())
    if strange or not differs <= TOLERANCE[network.dtype]:
        names = f", and {', '.join(strange[:3])} do not fit it" if strange else ""
        raise InjectionError(
            f"the saved model gives other logits when loaded again ({differs:.1%} of their norm{names}); it "
            "would not steer as this one does, so fold or steer the model after loading it",
            code="injection.save_differs",
        )


def _note(model: LanguageModel | PreTrainedModel, items: Sequence[Steering]) -> dict[str, Any]:
    base = model.identity if isinstance(model, LanguageModel) else items[0].vector.model
    is_checked = isinstance(model, LanguageModel)
    return {
        "base_model": {"name": base.name, "model_hash": base.model_hash, "is_checked": is_checked},
        "vectors": [
            {
                "tensor_digest": item.vector.tensor_digest,
                "strengths": {key: row_strengths(item, key)[0] for key in item.vector.directions},
                "method": item.vector.provenance.method,
                "dataset_digest": item.vector.provenance.dataset_digest,
            }
            for item in items
        ],
        "software": {name: metadata.version(name) for name in ("bearing", "torch", "transformers")},
    }


def _card(note: dict[str, Any]) -> str:
    base = note["base_model"]
    lines = [
        f"- `{vector['tensor_digest']}` at {', '.join(f'{k}: {s:g}' for k, s in vector['strengths'].items())}"
        for vector in note["vectors"]
    ]
    return "\n".join(
        [
            f"# {base['name']}, steered",
            "",
            f"{base['name']} (`{base['model_hash']}`) with steering vectors folded into its biases by",
            "Bearing: every program that loads these files is steered, at every token. The licence of the",
            "base model holds. Each vector with its strengths, as shares of the mean residual norm:",
            "",
            *lines,
            "",
            f"The same for programs: `{NOTE}`.",
            "",
        ]
    )
