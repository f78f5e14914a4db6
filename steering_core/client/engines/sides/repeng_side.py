"""repeng: a control vector from a GGUF file, set on a `ControlModel`."""

from __future__ import annotations

from repeng import ControlModel, ControlVector

from .job import Job, Rows, answer
from .torch_models import load, logits


def run(job: Job) -> tuple[Rows, list[Rows]]:
    """The blocks that are wrapped are those that the files have directions for."""
    model = load(job.model)
    unsteered = logits(model, job)
    vectors = [ControlVector.import_gguf(path) for path in job.paths]
    controlled = ControlModel(model, sorted({block for vector in vectors for block in vector.directions}))
    steered = []
    for vector in vectors:
        controlled.set_control(vector, 1.0)
        steered.append(logits(controlled, job))
    return unsteered, steered


if __name__ == "__main__":
    answer(run, "repeng", "transformers", "torch", "numpy")
