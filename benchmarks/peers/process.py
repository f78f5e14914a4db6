"""A worker process as the benchmark sees it: a line of JSON there, a line back."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import BENCH, ROOT, Environment
from benchmarks.peers.setting import Setting
from benchmarks.peers.steered import Steered

_QUIET = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "WANDB_MODE": "disabled",
    "PYTHONUNBUFFERED": "1",
    "PYTHONPATH": str(ROOT),
}
# glibc keeps freed memory for later, in pieces that depend on what ran before; with a fixed threshold every
# large block goes back to the system at once, and the peak is what was in use. It makes all sides about 2.5
# times slower, so timed workers do without.
EXACT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


class WorkerError(Exception):
    """A worker could not do what it was asked, or ended."""


class Worker:
    """A process with a model loaded."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log
        self.facts: dict[str, Any] = {}

    def versions(self) -> dict[str, str]:
        """What its environment runs on."""
        return self._ask({"do": "versions"})

    def load(self, model: Path, device: str, dtype: str) -> None:
        """Take this model and forget the one before; `facts` then says what it is."""
        self.facts = self._ask({"do": "load", "model": str(model), "device": device, "dtype": dtype})

    def measure(self, setting: Setting) -> dict[str, float]:
        """Seconds and peak memory."""
        return self._ask({"do": "measure", "setting": setting.to_json()})

    def count(self, setting: Setting) -> dict[str, int]:
        """Tokens that went into the model, and forward passes."""
        return self._ask({"do": "count", "setting": setting.to_json()})

    def directions(self, setting: Setting, file: Path) -> None:
        """Write the directions, one tensor per block."""
        self._ask({"do": "directions", "setting": setting.to_json(), "to": str(file)})

    def logits(self, setting: Setting, file: Path) -> None:
        """Write the logits of the longest text."""
        self._ask({"do": "logits", "setting": setting.to_json(), "to": str(file)})

    def time_steps(self, steered: Steered) -> dict[str, float]:
        """Seconds of the passes of a steered model."""
        return self._ask({"do": "time_steps", "steered": steered.to_json()})

    def step_cost(self, steered: Steered) -> dict[str, float]:
        """Microseconds and operations that steering adds to one block and pass."""
        return self._ask({"do": "step_cost", "steered": steered.to_json()})

    def step_logits(self, steered: Steered, file: Path) -> None:
        """Write the logits of the prompts' last tokens."""
        self._ask({"do": "step_logits", "steered": steered.to_json(), "to": str(file)})

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self._process.wait()
            raise WorkerError(f"the worker ended with {code}; see {self._log.relative_to(ROOT)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{answer['error']}; see {self._log.relative_to(ROOT)}")
        return answer


@contextmanager
def started(environment: Environment, name: str, extra: dict[str, str] | None = None) -> Iterator[Worker]:
    """A worker in an environment; it ends with the block."""
    log = BENCH / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors:
        process = subprocess.Popen(
            [str(environment.python), "-m", "benchmarks.peers.worker"],
            cwd=ROOT,
            env={**os.environ, **_QUIET, **(extra or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield Worker(process, log)
        finally:
            assert process.stdin is not None
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass  # It has ended already.
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
