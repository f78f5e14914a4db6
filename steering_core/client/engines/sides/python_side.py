"""The exported Python script of plain hooks, imported as its usage text says."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from .job import Job, Rows, answer
from .torch_models import load, logits


def run(job: Job) -> tuple[Rows, list[Rows]]:
    """`with steered(model)` of each script, at the multiplier that it was exported with."""
    model = load(job.model)
    steered = []
    for path in job.paths:
        with imported(path).steered(model):
            steered.append(logits(model, job))
    return logits(model, job), steered


def imported(path: Path) -> ModuleType:
    """The script as a module."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    answer(run, "transformers", "torch")
