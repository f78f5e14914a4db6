"""steering-vectors: a `SteeringVector` of the directions in a safetensors file, by block."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from safetensors.torch import load_file
from steering_vectors import SteeringVector

from .job import Job, Rows, answer
from .torch_models import load, logits

LAYER_TYPES = {"resid_post": "decoder_block", "mlp_out": "mlp", "attn_out": "self_attn"}


def run(job: Job) -> tuple[Rows, list[Rows]]:
    """`SteeringVector.apply`, one for each site."""
    model = load(job.model)
    steered = []
    for path in job.paths:
        with ExitStack() as applied:
            for vector in read(path):
                applied.enter_context(vector.apply(model, multiplier=1.0))
            steered.append(logits(model, job))
    return logits(model, job), steered


def read(path: Path) -> list[SteeringVector]:
    """The tensors are named `{site}.{block}`."""
    by_site: dict[str, dict[int, object]] = {}
    for key, direction in load_file(path).items():
        site, _, block = key.partition(".")
        by_site.setdefault(site, {})[int(block)] = direction
    return [SteeringVector(found, LAYER_TYPES[site]) for site, found in by_site.items()]


if __name__ == "__main__":
    answer(run, "steering-vectors", "transformers", "torch")
