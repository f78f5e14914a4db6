"""Trains the demo model from a seed on conversations of the demo language.

`quality` measures the result; `__main__` is the command line.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import transformers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from steering_core.demo.language import Draw, conversation, render
from steering_core.demo.muon import Muon
from steering_core.demo.tokenizer import MAX_POSITIONS, build_tokenizer

PAD, IGNORED = 0, -100
_CONVERSATIONS_AT_ONCE = 2048


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a training run is made of; equal recipes give equal weights on one machine."""

    seed: int = 0
    steps: int = 600
    tokens_per_batch: int = 2048
    learning_rate: float = 3e-3
    warm_up: int = 40


@dataclass(slots=True)
class History:
    """How the loss went; `points` hold the step and the mean loss (nats per token) since the point before."""

    points: list[dict[str, float]] = field(default_factory=list)
    tokens: int = 0
    cpu_seconds: float = 0.0


def build_model(seed: int, vocab_size: int) -> LlamaForCausalLM:
    """An untrained Llama: 4 blocks, d_model 128, about 0.9 million parameters."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocab_size, hidden_size=128, intermediate_size=320, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=PAD, initializer_range=0.04,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": PAD}
    model.generation_config = GenerationConfig.from_dict(special)
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


def _optimizers(model: LlamaForCausalLM, learning_rate: float) -> list[torch.optim.Optimizer]:
    named = list(model.named_parameters())
    matrices = [parameter for name, parameter in named if parameter.ndim >= 2 and "embed" not in name]
    others = [parameter for name, parameter in named if parameter.ndim < 2 or "embed" in name]
    return [
        Muon(matrices, learning_rate),
        torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _rate(step: int, recipe: Recipe) -> float:
    """Warm-up, then level for 40 % of the run, then a straight line down to 2 %."""
    warm = min(1.0, (step + 1) / recipe.warm_up)
    return warm * max(0.02, min(1.0, (1 - step / recipe.steps) / 0.6))


def _step(model: LlamaForCausalLM, optimizers: list[torch.optim.Optimizer], ids: torch.Tensor) -> float:
    loss = model(input_ids=ids, labels=ids.masked_fill(ids == PAD, IGNORED)).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def train(
    recipe: Recipe, *, progress: Callable[[str], None]
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast, History]:
    """A model trained on one thread; `progress` gets a line now and then."""
    torch.set_num_threads(1)
    tokenizer = build_tokenizer()
    model = build_model(recipe.seed, len(tokenizer))
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


def save(folder: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """A Hugging Face folder with float16 weights; the model itself stays float32."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = copy.deepcopy(model)
    torch.nn.Module.half(stored)
    stored.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # safetensors writes files that only their owner can read; a package is read by others too.
    (folder / "model.safetensors").chmod(0o644)


def write_facts(folder: Path, recipe: Recipe, history: History, quality: dict[str, float]) -> None:
    """Writes training.json: the recipe, the data, how the loss went and the measured quality."""
    facts = {
        "recipe": asdict(recipe),
        "data": "conversations of steering_core.demo.language, one in eight modifier-object pairs held out",
        "history": asdict(history),
        "quality": quality,
        "software": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    text = json.dumps(facts, indent=2, sort_keys=True)
    (folder / "training.json").write_text(text + "\n", encoding="utf-8")
