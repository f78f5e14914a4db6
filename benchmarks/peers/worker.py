"""One process per environment: measures what a line of JSON on its input asks for, answers with a line.

    {"do": "versions"}
    {"do": "load", "model": FOLDER, "device": "cpu", "dtype": "float32"}
    {"do": "measure" | "count" | "directions" | "logits", "setting": {...}, "to": FILE}
    {"do": "time_steps" | "step_cost" | "step_logits", "steered": {...}, "to": FILE}

What libraries print goes to the error output, so that only answers stand on the output. Nothing here imports
a peer before it is asked for, nor Bearing.
"""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.peers.loading import Loaded, Pairs, load, read_pairs
from benchmarks.peers.measuring import counted_tokens, measure
from benchmarks.peers.setting import Setting
from benchmarks.peers.steps import Steps
from benchmarks.peers.versions import versions

SIDES = {
    "plain": "benchmarks.peers.plain",
    "bearing": "benchmarks.ours",
    "steering-vectors": "benchmarks.peers.steering_vectors_side",
    "repeng": "benchmarks.peers.repeng_side",
    "transformer-lens": "benchmarks.peers.transformer_lens_side",
    "nnsight": "benchmarks.peers.nnsight_side",
}

Run = Callable[[Pairs, Setting], dict[int, Tensor]]


class Worker:
    """The loaded model and the sides prepared for it, until another model is loaded."""

    def __init__(self) -> None:
        self.loaded: Loaded | None = None
        self.steps: Steps | None = None
        self.sides: dict[str, Run] = {}
        self.pairs: dict[tuple[str, int, bool], Pairs] = {}

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One line's answer."""
        if asked["do"] == "versions":
            return versions()
        if asked["do"] == "load":
            return self._load(asked)
        assert self.loaded is not None
        if "steered" in asked:
            self.steps = self.steps or Steps(self.loaded)
            return self.steps.answer(asked)
        setting = Setting.from_json(asked["setting"])
        if asked["do"] == "logits":
            save_file({"logits": self._logits(setting)}, asked["to"])
            return {}
        action = self._action(setting)
        if asked["do"] == "measure":
            return measure(action, self.loaded.device)
        if asked["do"] == "count":
            with counted_tokens(self.loaded.model.get_input_embeddings()) as counts:
                action()
            return {"tokens": sum(counts), "passes": len(counts)}
        directions = {str(block): vector.float().cpu().contiguous() for block, vector in action().items()}
        save_file(directions, asked["to"])
        return {"blocks": len(directions)}

    def _load(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.loaded, self.steps, self.sides, self.pairs = None, None, {}, {}
        self.loaded = load(Path(asked["model"]), asked["device"], asked["dtype"])
        gpu = torch.cuda.get_device_name() if asked["device"] == "cuda" else None
        return {
            "gpu": gpu,
            "n_layers": self.loaded.n_layers,
            "d_model": self.loaded.model.config.hidden_size,
            "parameters": sum(weights.numel() for weights in self.loaded.model.parameters()),
        }

    def _action(self, setting: Setting) -> Callable[[], dict[int, Tensor]]:
        assert self.loaded is not None
        self.loaded.tokenizer.padding_side = setting.padding_side
        if setting.side not in self.sides:
            self.sides[setting.side] = importlib.import_module(SIDES[setting.side]).prepare(self.loaded)
        return partial(self.sides[setting.side], self._pairs(setting), setting)

    def _pairs(self, setting: Setting) -> Pairs:
        assert self.loaded is not None
        key = (setting.pairs, setting.n_pairs, setting.by_length)
        if key not in self.pairs:
            self.pairs[key] = read_pairs(self.loaded.tokenizer, setting)
        return self.pairs[key]

    def _logits(self, setting: Setting) -> Tensor:
        """(seq_len, vocab_size) of the longest text of the pairs, alone."""
        assert self.loaded is not None
        longest = max((text for pair in self._pairs(setting) for text in pair), key=len)
        ids = self.loaded.tokenizer(longest, return_tensors="pt")["input_ids"].to(self.loaded.device)
        with torch.inference_mode():
            return self.loaded.model(input_ids=ids, use_cache=False).logits[0].float().cpu().contiguous()


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    torch.set_num_threads(1)
    worker = Worker()
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:
            # A peer may fail in any way; the benchmark shows that and goes on with the others.
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
