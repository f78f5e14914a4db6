"""Bearing's own `steer` on a transformers model; the file is a native one, and holds the scale."""

from __future__ import annotations

from pathlib import Path

from steering_core.formats.bearing import read_vector
from steering_core.injection import steer
from steering_core.models.load import load_model

from .job import Job, Rows, answer
from .torch_models import DEVICE, logits


def run(job: Job) -> tuple[Rows, list[Rows]]:
    """As docs/injection.md shows it."""
    lm = load_model(Path(job.model), device=DEVICE, dtype="float32" if DEVICE == "cpu" else "auto")
    steered = []
    for path, strength in zip(job.paths, job.strengths, strict=True):
        with steer(lm, [(read_vector(path.read_bytes()), strength)]):
            steered.append(logits(lm.model, job))
    return logits(lm.model, job), steered


if __name__ == "__main__":
    answer(run, "transformers", "bearing", "torch")
