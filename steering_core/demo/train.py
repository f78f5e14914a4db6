"""Trains the demo model from a seed on conversations of the demo language, and the variants of it.

`quality` measures the result; `__main__` is the command line.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from steering_core.demo.language import Draw, conversation, render
from steering_core.demo.muon import Muon
from steering_core.demo.paths import weights_path
from steering_core.demo.tokenizer import MAX_POSITIONS, build_tokenizer
from steering_core.errors import ModelError
from steering_core.models.fingerprint import model_fingerprint

PAD, IGNORED = 0, -100
_CONVERSATIONS_AT_ONCE = 2048
# Read from the embedding, written to the head, or choosing experts: not maps from space to space.
_NOT_MUON = ("embed", "mlp.gate.weight")

Architecture = Literal["llama", "moe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a training run is made of; equal recipes give equal weights on one machine.

    Attributes:
        architecture: of a new model; a model that is trained further keeps its own.
    """

    seed: int = 0
    steps: int = 600
    tokens_per_batch: int = 2048
    learning_rate: float = 3e-3
    warm_up: int = 40
    architecture: Architecture = "llama"


# A tenth more steps on unseen conversations: what a small update of a base model does.
UPDATE = Recipe(seed=100, steps=60, learning_rate=3e-4, warm_up=6)

_RECIPES = {"seed1": Recipe(seed=1), "continued": UPDATE, "moe": Recipe(architecture="moe")}
VARIANTS = tuple(_RECIPES)


@dataclass(slots=True)
class History:
    """How the loss went; `points` hold the step and the mean loss (nats per token) since the point before."""

    points: list[dict[str, float]] = field(default_factory=list)
    tokens: int = 0
    cpu_seconds: float = 0.0


def build_model(seed: int, vocab_size: int, architecture: Architecture = "llama") -> PreTrainedModel:
    """An untrained model of 4 blocks and d_model 128.

    `llama` has about 0.9 million parameters; `moe` is a Qwen3-MoE of 1.6 million, 8 experts in each block of
    which every token uses 2.
    """
    torch.manual_seed(seed)
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": PAD}
    sizes = {
        "vocab_size": vocab_size, "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 4, "max_position_embeddings": MAX_POSITIONS, "tie_word_embeddings": True,
        "initializer_range": 0.04, **special,
    }  # fmt: skip
    model = _untrained(architecture, sizes)
    model.generation_config = GenerationConfig.from_dict(special)
    return model


def _untrained(architecture: Architecture, sizes: dict[str, Any]) -> PreTrainedModel:
    if architecture == "llama":
        return LlamaForCausalLM(LlamaConfig(intermediate_size=320, **sizes))
    experts: dict[str, Any] = {
        "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 96, "norm_topk_prob": True,
        "head_dim": 32, "router_aux_loss_coef": 0.01,
    }  # fmt: skip
    config = Qwen3MoeConfig(intermediate_size=256, **experts, **sizes)
    model = Qwen3MoeForCausalLM(config)
    # One matrix product for all experts: a fifth less time than one after the other.
    model.set_experts_implementation("grouped_mm")
    return model


def encode_conversations(
    tokenizer: PreTrainedTokenizerFast, seeds: list[str], *, held_out: bool = False
) -> list[list[int]]:
    """Token ids of one conversation per seed."""
    texts = [render(conversation(seed, held_out=held_out)) for seed in seeds]
    return list(tokenizer(texts, add_special_tokens=False)["input_ids"])


def padded(rows: list[list[int]]) -> torch.Tensor:
    """(rows, longest) token ids, padded on the right, so that a causal model needs no mask."""
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


def batches(tokenizer: PreTrainedTokenizerFast, seed: int, tokens_per_batch: int) -> Iterator[torch.Tensor]:
    """Endless batches of about `tokens_per_batch`, padding included, of conversations of like length."""
    pool = 0
    while True:
        names = [f"corpus/{seed}/{pool}/{index}" for index in range(_CONVERSATIONS_AT_ONCE)]
        grouped: list[list[list[int]]] = [[]]
        for row in sorted(encode_conversations(tokenizer, names), key=len):
            if grouped[-1] and (len(grouped[-1]) + 1) * len(row) > tokens_per_batch:
                grouped.append([])
            grouped[-1].append(row)
        order = Draw(f"order/{seed}/{pool}").sample("batch", grouped, len(grouped))
        yield from map(padded, order)
        pool += 1


def _optimizers(model: PreTrainedModel, learning_rate: float) -> list[torch.optim.Optimizer]:
    named = list(model.named_parameters())
    others = [p for name, p in named if p.ndim < 2 or any(part in name for part in _NOT_MUON)]
    apart = {id(parameter) for parameter in others}
    matrices = [parameter for _, parameter in named if id(parameter) not in apart]
    return [
        Muon(matrices, learning_rate),
        torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _rate(step: int, recipe: Recipe) -> float:
    """Warm-up, then level for 40 % of the run, then a straight line down to 2 %."""
    warm = min(1.0, (step + 1) / recipe.warm_up)
    return warm * max(0.02, min(1.0, (1 - step / recipe.steps) / 0.6))


def _step(model: PreTrainedModel, optimizers: list[torch.optim.Optimizer], ids: torch.Tensor) -> float:
    # Asked for its routing, a model with experts adds to the loss how unevenly it uses them.
    routing = {"output_router_logits": True} if hasattr(model.config, "router_aux_loss_coef") else {}
    loss = model(input_ids=ids, labels=ids.masked_fill(ids == PAD, IGNORED), **routing).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def train(
    recipe: Recipe, *, start: Path | None = None, progress: Callable[[str], None]
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, History]:
    """A model trained on one thread; `progress` gets a line now and then.

    Args:
        start: the folder of a demo model to train further; None begins anew.

    Raises:
        ModelError: `start` holds a model of other words.
    """
    torch.set_num_threads(1)
    tokenizer = build_tokenizer()
    model = (
        _model_at(start, tokenizer)
        if start
        else build_model(recipe.seed, len(tokenizer), recipe.architecture)
    )
    optimizers, history = _optimizers(model, recipe.learning_rate), History()
    stream = batches(tokenizer, recipe.seed, recipe.tokens_per_batch)
    started, losses = time.process_time(), list[float]()
    every = max(1, min(50, recipe.steps // 6))
    model.train()
    for step in range(recipe.steps):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * _rate(step, recipe)
        ids = next(stream)
        losses.append(_step(model, optimizers, ids))
        history.tokens += int((ids != PAD).sum())
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            loss, losses = sum(losses) / len(losses), []
            history.points.append({"step": step + 1, "loss": round(loss, 4)})
            spent = time.process_time() - started
            progress(f"step {step + 1:4d} of {recipe.steps}  loss {loss:.3f}  {spent:.0f} CPU seconds")
    history.cpu_seconds = round(time.process_time() - started, 1)
    torch.nn.Module.eval(model)
    return model, tokenizer, history


def train_variant(name: str, folder: Path, progress: Callable[[str], None]) -> None:
    """Trains one of `VARIANTS` of the shipped model into a folder: what vectors are tried on beside it.

    `seed1` is another model of the same recipe, `continued` the shipped one after a tenth more steps, `moe`
    one with experts. Their training takes about 200, 20 and 240 seconds of one core.
    """
    recipe = _RECIPES[name]
    start = weights_path() if name == "continued" else None
    model, tokenizer, history = train(recipe, start=start, progress=progress)
    save(folder, model, tokenizer)
    write_facts(folder, recipe, history, start=start)


def _model_at(folder: Path, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """A stored model in float32, ready to be trained."""
    stored = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    if stored.get_vocab() != tokenizer.get_vocab():
        raise ModelError(
            f"{folder} holds a model of other words than the demo language's; expected a folder that "
            "python -m steering_core.demo train wrote",
            code="model.other_tokenizer",
        )
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    )
    return model


def save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """A Hugging Face folder with float16 weights; the model itself stays float32."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = copy.deepcopy(model)
    torch.nn.Module.half(stored)
    stored.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # safetensors writes files that only their owner can read; a package is read by others too.
    (folder / "model.safetensors").chmod(0o644)


def write_facts(
    folder: Path,
    recipe: Recipe,
    history: History,
    quality: dict[str, float] | None = None,
    *,
    start: Path | None = None,
) -> None:
    """Writes training.json: the recipe, the data, how the loss went, the quality where it was measured, and
    the hash of the model that was trained further.
    """
    facts = {
        "recipe": asdict(recipe),
        "data": "conversations of steering_core.demo.language, one in eight modifier-object pairs held out",
        "history": asdict(history),
        "quality": quality or {},
        "continued_from": model_fingerprint(start).model_hash if start else "",
        "software": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    text = json.dumps(facts, indent=2, sort_keys=True)
    (folder / "training.json").write_text(text + "\n", encoding="utf-8")
