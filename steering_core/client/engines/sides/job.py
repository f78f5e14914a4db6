"""The job that every side answers. Standard library only.

job.json: `model` (a path), `files` (the vector's file for each strength, in this folder), `strengths`,
`probes` (token ids, and the positions whose logits are asked for) and `watched` (token ids).
answer.json: `versions`, `unsteered` (points, watched) and `steered` (strengths, points, watched).
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

Rows = list[list[float]]


@dataclass(frozen=True)
class Job:
    """What to run."""

    folder: Path
    model: str
    files: list[str]
    strengths: list[float]
    probes: list[dict[str, list[int]]]
    watched: list[int]

    @property
    def paths(self) -> list[Path]:
        """The vector's file for each strength."""
        return [self.folder / name for name in self.files]


def answer(run: Callable[[Job], tuple[Rows, list[Rows]]], *packages: str) -> None:
    """Run the job in the folder that the command line names, and write what came of it.

    Args:
        run: gives the unsteered logits, and the steered ones for each strength.
        packages: whose versions to note; the engine first.
    """
    folder = Path(sys.argv[1]).resolve()
    fields: dict[str, Any] = json.loads((folder / "job.json").read_text())
    unsteered, steered = run(Job(folder=folder, **fields))
    versions = {name: version(name) for name in packages} | {"python": platform.python_version()}
    answered = {"versions": versions, "unsteered": unsteered, "steered": steered}
    (folder / "answer.json").write_text(json.dumps(answered))
