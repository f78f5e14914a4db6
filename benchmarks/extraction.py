"""How much extraction costs over the forward passes that it cannot do without.

    python -m benchmarks.extraction [--model FOLDER] [--pairs 200] [--rounds 7]

Both sides run the same rows in the same batches, alternating in one process on one thread: `plain` only runs
the model without its LM head; `one pass` also reads the pooled activation and the residual norm at every
block and sums them up. CPU seconds are compared, since wall time measures the neighbours too.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from steering_core.demo.datasets import demo_pairs
from steering_core.demo.paths import weights_path
from steering_core.extraction.activations import TOKEN_BUDGET, length_batches, padded, pooled_batches
from steering_core.extraction.methods.mean_difference import MeanDifference
from steering_core.extraction.pooling import resolve_pooling
from steering_core.models.blocks import base_model
from steering_core.models.load import LanguageModel, load_model
from steering_core.models.tokens import EncodedPair, encode_pair


def plain(lm: LanguageModel, pairs: Sequence[EncodedPair]) -> None:
    """The same rows in the same batches, nothing read."""
    lengths = [max(len(pair.positive), len(pair.negative)) for pair in pairs]
    with torch.inference_mode():
        for batch in length_batches(lengths, TOKEN_BUDGET // 2):
            rows = [pairs[i].positive for i in batch] + [pairs[i].negative for i in batch]
            base_model(lm.model)(input_ids=padded(rows).to(lm.device), use_cache=False)


def one_pass(lm: LanguageModel, pairs: Sequence[EncodedPair]) -> None:
    """What `extract` does with the train pairs."""
    method = MeanDifference(lm.identity.n_layers, lm.identity.d_model)
    for batch in pooled_batches(lm, pairs, resolve_pooling("auto", pairs)):
        method.add(batch)
    method.directions()


def cpu_seconds(action: Callable[[], None]) -> float:
    started = time.process_time()
    action()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=weights_path())
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    lm = load_model(asked.model)
    pairs = [encode_pair(lm, pair) for pair in demo_pairs("formality", asked.pairs, 0)]
    tokens = sum(len(pair.positive) + len(pair.negative) for pair in pairs)
    sides = {"plain": plain, "one pass": one_pass}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(asked.rounds + 1):  # the first round warms up
        for name, side in sides.items():
            taken[name].append(cpu_seconds(lambda side=side: side(lm, pairs)))
    ratio = statistics.median(b / a for a, b in zip(taken["plain"][1:], taken["one pass"][1:], strict=True))
    print(f"{asked.model.name}: {lm.identity.n_layers} blocks x {lm.identity.d_model}, {tokens} tokens")
    for name, seconds in taken.items():
        median = statistics.median(seconds[1:])
        print(f"{name:10s} {median:8.3f} CPU-s  {tokens / median:10.0f} tokens per CPU-s")
    print(f"ratio, median of {asked.rounds} rounds: {ratio:.3f}")


if __name__ == "__main__":
    main()
