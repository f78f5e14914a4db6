"""Writes the example datasets of `examples/`: contrastive pairs of the demo language as house JSONL."""

from pathlib import Path

from steering_core.demo.datasets import demo_pairs
from steering_core.demo.lexicon import AXES
from steering_core.pairs.jsonl import write_jsonl

SEED = 1
SIZES = {axis: 240 if axis == "formality" else 204 for axis in AXES}


def example_bytes(axis: str) -> bytes:
    """The example file of one axis, in the canonical form that a registry stores."""
    return write_jsonl(demo_pairs(axis, SIZES[axis], SEED))


def write_examples(folder: Path) -> list[Path]:
    """Writes `<axis>.jsonl` for every axis and returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{axis}.jsonl" for axis in AXES]
    for axis, path in zip(AXES, paths, strict=True):
        path.write_bytes(example_bytes(axis))
    return paths
