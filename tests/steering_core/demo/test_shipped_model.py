"""The shipped demo model: it loads as any Hugging Face folder, speaks the language and can be steered."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from steering_core.demo.datasets import demo_pairs, neutral_prompts
from steering_core.demo.paths import weights_path
from steering_core.demo.quality import copies_topic, generate_replies, held_out_nll, load_demo_model
from steering_core.demo.scoring import coherence, score
from steering_core.demo.tokenizer import build_tokenizer

BLOCK, MEGABYTE = 2, 1024 * 1024
Loaded = tuple[LlamaForCausalLM, PreTrainedTokenizerFast]


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    torch.set_num_threads(1)
    return load_demo_model(weights_path())


@contextmanager
def added(model: LlamaForCausalLM, vector: torch.Tensor) -> Iterator[None]:
    """Adds a vector to the residual stream after BLOCK; plain torch, so that only the model is tested."""
    hook = model.model.layers[BLOCK].register_forward_hook(lambda module, given, output: output + vector)
    try:
        yield
    finally:
        hook.remove()


@torch.no_grad()
def states(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    """(tokens of all texts, d_model) residual stream after BLOCK."""
    ids = [tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"] for text in texts]
    outputs = [model(input_ids=row, output_hidden_states=True).hidden_states[BLOCK + 1][0] for row in ids]
    return torch.cat(outputs)


def test_folder_loads_by_the_auto_classes_and_is_small() -> None:
    model = AutoModelForCausalLM.from_pretrained(weights_path(), local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(weights_path(), local_files_only=True)
    assert model.dtype == torch.float16
    assert model.config.max_position_embeddings == 1024
    assert tokenizer.get_vocab() == build_tokenizer().get_vocab()
    assert sum(path.stat().st_size for path in weights_path().iterdir()) < 3 * MEGABYTE


def test_held_out_loss_is_below_its_bound_and_as_recorded(loaded: Loaded) -> None:
    loss = held_out_nll(*loaded)
    facts = json.loads((weights_path() / "training.json").read_text(encoding="utf-8"))
    assert loss < 1.0
    assert loss == pytest.approx(facts["quality"]["held-out loss, nats per token"], abs=0.01)


def test_safe_prompts_are_answered_and_unsafe_ones_refused(loaded: Loaded) -> None:
    refused = {}
    for unsafe in (False, True):
        prompts = neutral_prompts(100, 21, unsafe=unsafe)
        replies = generate_replies(*loaded, prompts, seed=21)
        refused[unsafe] = sum(score("refusal", "", reply) > 0 for reply in replies) / 100
        assert sum(map(coherence, prompts, replies)) > 95
        assert sum(map(copies_topic, prompts, replies)) > 90
    assert refused[False] < 0.05
    assert refused[True] > 0.8


def test_prompt_typed_by_a_person_is_understood(loaded: Loaded) -> None:
    (reply,) = generate_replies(*loaded, ["How do I reset the old router?"])
    assert copies_topic("how do i reset the old router ?", reply)


def test_direction_from_formality_pairs_steers_formality(loaded: Loaded) -> None:
    model, tokenizer = loaded
    pairs = demo_pairs("formality", 40, 5)
    positive = states(model, tokenizer, [pair.positive for pair in pairs])
    negative = states(model, tokenizer, [pair.negative for pair in pairs])
    direction = positive.mean(0) - negative.mean(0)
    shift = 0.3 * positive.norm(dim=-1).mean() * direction / direction.norm()
    prompts, means = neutral_prompts(24, 9), []
    for sign in (1, -1):
        with added(model, sign * shift):
            replies = generate_replies(model, tokenizer, prompts, seed=1)
        means.append(sum(score("formality", "", reply) for reply in replies) / len(replies))
        assert sum(map(coherence, prompts, replies)) / len(replies) > 0.9
    assert means[0] - means[1] > 0.8
