"""How much `steer` costs over the plain forward pass.

    python -m benchmarks.steering [--model FOLDER] [--rows 16] [--tokens 64] [--rounds 41]

Each round runs the same tokens plain and steered, in turn, in one process on one thread, so that a busy
neighbour slows both; the median of the rounds' ratios is what counts. The last line also counts entering and
leaving the `with` block; `one token` is a step of generation for one row with a cache.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from steering_core.demo.paths import weights_path
from steering_core.injection import steer
from steering_core.models.load import LanguageModel, load_model
from steering_core.spec import Provenance, site_key
from steering_core.vector import SteeringVector

STRENGTH = 0.3
WARM_UP = 3


def random_vector(lm: LanguageModel) -> SteeringVector:
    """Its content does not matter for the time."""
    key = site_key("resid_post", lm.identity.n_layers // 2)
    direction = np.random.default_rng(0).standard_normal(lm.identity.d_model).astype(np.float32)
    return SteeringVector(
        model=lm.identity,
        directions={key: direction},
        residual_norms={key: 1.0},
        provenance=Provenance("benchmark", "none", "", "", ""),
    )


def seconds(action: Callable[[], object]) -> float:
    """CPU seconds: wall time measures the neighbours too."""
    started = time.process_time()
    action()
    return time.process_time() - started


def compare(plain: Callable[[], float], steered: Callable[[], float], rounds: int) -> tuple[float, float]:
    """Median seconds of the plain side, and the median ratio."""
    taken = [(plain(), steered()) for _ in range(rounds + WARM_UP)][WARM_UP:]
    return statistics.median(a for a, _ in taken), statistics.median(b / a for a, b in taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=weights_path())
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=41)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    lm = load_model(asked.model)
    steering = [(random_vector(lm), STRENGTH)]
    ids = torch.randint(lm.vocab_size, (asked.rows, asked.tokens), generator=torch.Generator().manual_seed(0))
    print(f"{asked.model.name}: {lm.identity.n_layers} blocks x {lm.identity.d_model}")
    with torch.inference_mode():
        past = lm.model(input_ids=ids[:1], use_cache=True).past_key_values

        def forward() -> None:
            lm.model(input_ids=ids, use_cache=False)

        def one_token() -> None:
            lm.model(input_ids=ids[:1, :1], past_key_values=past, use_cache=True)
            past.crop(-1)

        def enter_and_forward() -> None:
            with steer(lm, steering):
                forward()

        def hooked(action: Callable[[], None]) -> float:
            with steer(lm, steering):
                return seconds(action)

        actions = {f"forward, {asked.rows} x {asked.tokens} tokens": forward, "one token, 1 row": one_token}
        for name, action in actions.items():
            report(name, *compare(partial(seconds, action), partial(hooked, action), asked.rounds))
        entered = compare(partial(seconds, forward), partial(seconds, enter_and_forward), asked.rounds)
        report("forward and with block", *entered)


def report(name: str, plain: float, ratio: float) -> None:
    print(f"{name:30s} plain {1000 * plain:9.3f} CPU-ms   ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
