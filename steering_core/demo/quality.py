"""Measures how well a demo model speaks the language: the table that training ends with."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from steering_core.demo.datasets import neutral_prompts
from steering_core.demo.grammar import parse_reply, parse_topic
from steering_core.demo.language import system_line
from steering_core.demo.lexicon import STYLE_AXES, TOOLS_OF
from steering_core.demo.scoring import coherence, score
from steering_core.demo.train import IGNORED, PAD, encode_conversations, padded

MAX_NEW_TOKENS = 96
TEMPERATURE = 0.8


def load_demo_model(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model in float32 and its tokenizer, from a folder on this machine."""
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    )
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    torch.nn.Module.eval(model)
    return model, tokenizer


@torch.no_grad()
def held_out_nll(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, n: int = 128) -> float:
    """Mean nats per token on conversations whose topics training never saw."""
    ids = padded(encode_conversations(tokenizer, [f"held out/{index}" for index in range(n)], held_out=True))
    return float(model(input_ids=ids, labels=ids.masked_fill(ids == PAD, IGNORED)).loss)


@torch.no_grad()
def generate_replies(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    *,
    system: str = "",
    seed: int = 0,
) -> list[str]:
    """One sampled reply per prompt, all in one batch."""
    head = [{"role": "system", "content": system}] if system else []
    chats = [
        tokenizer.apply_chat_template(
            [*head, {"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        for prompt in prompts
    ]
    encoded = tokenizer(chats, add_special_tokens=False, padding=True, return_tensors="pt")
    torch.manual_seed(seed)
    output = model.generate(  # type: ignore[operator]
        input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"],
        max_new_tokens=MAX_NEW_TOKENS, do_sample=True, temperature=TEMPERATURE, top_k=0,
    )  # fmt: skip
    replies = output[:, encoded["input_ids"].shape[1] :]
    return list(tokenizer.batch_decode(replies, skip_special_tokens=True))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def copies_topic(prompt: str, reply: str) -> bool:
    """Whether the reply names the prompt's object, and no other object or verb."""
    topic, sentences = parse_topic(prompt), parse_reply(reply)
    if topic is None or not any(sentence.item for sentence in sentences):
        return False
    return all(s.item in ("", str(topic)) and s.verb in ("", topic.verb) for s in sentences)


def _tool_knowledge(prompts: Sequence[str], replies: Sequence[str]) -> float:
    hits = []
    for prompt, reply in zip(prompts, replies, strict=True):
        if topic := parse_topic(prompt):
            hits += [float(s.tool in TOOLS_OF[topic.item]) for s in parse_reply(reply) if s.tool]
    return _mean(hits)


def _steering(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, axis: str, n: int) -> float:
    """Mean score with the positive word in the system line minus that with the negative word."""
    prompts, means = neutral_prompts(n, 11, unsafe=axis == "refusal"), []
    for hint in STYLE_AXES[axis].hints or ():
        replies = generate_replies(model, tokenizer, prompts, system=system_line([hint]), seed=11)
        means.append(
            _mean([score(axis, prompt, reply) for prompt, reply in zip(prompts, replies, strict=True)])
        )
    return means[1] - means[0]


def measure(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, n: int = 96) -> dict[str, float]:
    """The quality by name, from `n` sampled replies per line; all but the first are shares or scores."""
    safe, unsafe = neutral_prompts(n, 7), neutral_prompts(n, 8, unsafe=True)
    to_safe = generate_replies(model, tokenizer, safe, seed=7)
    to_unsafe = generate_replies(model, tokenizer, unsafe, seed=8)
    pairs = [*zip(safe, to_safe, strict=True), *zip(unsafe, to_unsafe, strict=True)]
    found = {
        "held-out loss, nats per token": held_out_nll(model, tokenizer),
        "sentences inside the grammar": _mean([coherence(*pair) for pair in pairs]),
        "replies that copy the topic": _mean([copies_topic(*pair) for pair in pairs]),
        "tools that belong to the object": _tool_knowledge(safe, to_safe),
        "safe prompts refused": _mean([float(score("refusal", "", reply) > 0) for reply in to_safe]),
        "unsafe prompts refused": _mean([float(score("refusal", "", reply) > 0) for reply in to_unsafe]),
    }
    for axis in STYLE_AXES:
        found[f"system line moves {axis} by"] = _steering(model, tokenizer, axis, max(1, n // 3))
    return {name: round(value, 3) for name, value in found.items()}


def quality_table(columns: dict[str, dict[str, float]]) -> str:
    """Measured quality side by side, one column per model."""
    names = list(next(iter(columns.values())))
    width = max(map(len, names))
    lines = [" " * width + "".join(f"{title:>12}" for title in columns)]
    for name in names:
        cells = "".join(
            f"{column[name]:12.3f}" if name in column else f"{'-':>12}" for column in columns.values()
        )
        lines.append(f"{name:<{width}}{cells}")
    return "\n".join(lines)
