"""Prompts that are more than one user turn, as token ids: an instruction before it, or worked examples.

Text stays text, as in `tokens`; `generate` and `propensities` take the ids as they take those of a prompt.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from steering_core.errors import ModelError
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import encode_prompt, encode_reply, next_turn, special_ids

# Private-use characters, which no template contains.
_MARK = "\ue000\ue001\ue000"


def encode_prompt_under(lm: LanguageModel, system: str, prompt: str) -> list[int]:
    """Token ids of a system turn and a user turn, up to the place where the model's reply starts.

    Where the chat template has no system role, or there is no template, the system text goes in front of the
    prompt.

    Raises:
        ModelError: one of the texts spells a special token, which would end its turn.
    """
    if not takes_system(lm.tokenizer):
        return encode_prompt(lm, f"{system}\n\n{prompt}")
    special = special_ids(lm.tokenizer)
    ids, frame = (_ids(lm.tokenizer, *texts) for texts in ((system, prompt), ("a", "a")))
    if sum(i in special for i in ids) != sum(i in special for i in frame):
        raise ModelError(
            f"the instruction {system[:40]!r} or the question {prompt[:40]!r} spells a special token of this "
            "model; take it out",
            code="model.special_token",
        )
    return ids


def encode_prompt_after(
    lm: LanguageModel, examples: Sequence[tuple[str, str]], prompt: str, *, raw: bool = False
) -> list[int]:
    """Token ids of a prompt behind worked examples, up to the place where the model's reply starts.

    The examples are turns of the conversation. Where the chat template takes one turn only, there is no
    template, or `raw` leaves it out, they stand as text in front of the prompt.

    Args:
        examples: (prompt, reply).
    """
    if not examples:
        return encode_prompt(lm, prompt, raw=raw)
    prompts = [text for text, _ in examples] + [prompt]
    turns = [next_turn(lm.tokenizer, text) for text in prompts[1:]]
    if raw or not turns[0]:
        shown = [f"{question}\n{reply}" for question, reply in examples]
        return encode_prompt(lm, "\n\n".join([*shown, prompt]), raw=raw)
    ids = encode_prompt(lm, prompts[0])
    for (question, reply), turn in zip(examples, turns, strict=True):
        ids += [*encode_reply(lm, question, reply), *turn]
    return ids


@lru_cache(maxsize=8)
def takes_system(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template has a system role: shows such a turn, and not as one of the assistant's."""
    if not tokenizer.chat_template:
        return False
    shown = _rendered(tokenizer, ("system", _MARK), ("user", "a"))
    return _MARK in shown and shown != _rendered(tokenizer, ("assistant", _MARK), ("user", "a"))


def _rendered(tokenizer: PreTrainedTokenizerBase, *turns: tuple[str, str]) -> str:
    """The turns as text; empty where the template refuses them."""
    messages: list[dict[str, Any]] = [{"role": role, "content": content} for role, content in turns]
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except TemplateError:
        return ""


def _ids(tokenizer: PreTrainedTokenizerBase, system: str, prompt: str) -> list[int]:
    text = _rendered(tokenizer, ("system", system), ("user", prompt))
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
