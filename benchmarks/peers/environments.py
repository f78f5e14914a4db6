"""The virtual environments of the peers, which no one environment could hold together.

Each is made from its own file of exact pins and made again when that file changes. `python -m
benchmarks.peers install` makes them all.
"""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / ".bearing" / "bench"
OWN = "bearing"


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python with some peers in it; Bearing's own has none and is the one that runs this.

    Attributes:
        peers: package names, which are also the names of their sides in the worker.
    """

    name: str
    peers: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where the virtual environment is."""
        return BENCH / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return Path(sys.executable) if self.name == OWN else self.folder / "bin" / "python"

    @property
    def requirements(self) -> Path:
        """Its pins."""
        return Path(__file__).with_name(f"{self.name}.txt")

    @property
    def is_ready(self) -> bool:
        """Whether it was made from the pins as they are now."""
        return self.name == OWN or (self._stamp.is_file() and self._stamp.read_text() == self._digest())

    def install(self) -> None:
        """Make it, unless it is ready; some minutes and 1.5 GB.

        Raises:
            CalledProcessError: pip found no such packages; its message stands above.
        """
        if self.is_ready:
            return
        print(f"set-up: {self.name} for {' and '.join(self.peers)} (some minutes the first time)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(self.folder)], check=True)
        pip = [str(self.python), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
        subprocess.run([*pip, "install", "--requirement", str(self.requirements)], check=True)
        self._stamp.write_text(self._digest())

    @property
    def _stamp(self) -> Path:
        return self.folder / ".made-from"

    def _digest(self) -> str:
        return hashlib.sha256(self.requirements.read_bytes()).hexdigest()


ENVIRONMENTS = (
    Environment(OWN, ()),
    Environment("transformers4", ("steering-vectors", "repeng")),
    Environment("transformers5", ("transformer-lens", "nnsight")),
)
# A server of its own beside the registry, not a library beside the science.
MLFLOW = Environment("mlflow", ("mlflow",))
PEERS = tuple(peer for environment in ENVIRONMENTS for peer in environment.peers)


def environment_of(side: str) -> Environment:
    """Where a peer lives."""
    return next(environment for environment in ENVIRONMENTS if side in environment.peers)
