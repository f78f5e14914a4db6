"""Where the engines are that Bearing's own environment does not hold, made when they are missing.

repeng and steering-vectors share the environment of the benchmarks' peers, from the same pins.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.environments import ROOT, Environment, environment_of


@dataclass(frozen=True, slots=True)
class EngineEnvironment(Environment):
    """An environment of one engine, in a folder and with pins of its own."""

    @property
    def folder(self) -> Path:
        """Beside those of the benchmarks."""
        return ROOT / ".bearing" / "engines" / self.name

    @property
    def requirements(self) -> Path:
        """Its pins."""
        return Path(__file__).with_name(f"{self.name}.txt")


_ENVIRONMENTS = {
    "llama.cpp": EngineEnvironment("llama.cpp", ("llama.cpp",)),
    "repeng": environment_of("repeng"),
    "steering-vectors": environment_of("steering-vectors"),
}


def python_of(engine: str) -> Path:
    """An interpreter that has the engine."""
    environment = _ENVIRONMENTS.get(engine)
    if environment is None:
        return Path(sys.executable)
    environment.install()
    return environment.python
