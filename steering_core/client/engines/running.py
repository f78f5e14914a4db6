"""Runs an engine on a certificate's probes, in a process of its own and under any Python.

The process gets a folder of its own with the job, the vector's files and the program (`sides`), and writes
its answer there; what it prints is kept only to say why it failed.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from steering_core.client.engines.adapters import Adapter
from steering_core.errors import ClientError, FormatError
from steering_core.formats.conformance import Certificate
from steering_core.formats.conformance_finding import Observed
from steering_core.spec import parse_json

SIDES = Path(__file__).with_name("sides")
DEFAULT_TIMEOUT_SECONDS = 900.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_LOG_BYTES = 64 * 1024
_VERSIONS = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""

Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine answered, and the versions of what ran, the engine's own first."""

    observed: Observed
    versions: dict[str, str]


def run_engine(
    adapter: Adapter,
    certificate: Certificate,
    files: Sequence[Files],
    model: Path,
    *,
    python: Path,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> Answer:
    """Have an engine answer the probes of a certificate, without the vector and with it.

    Args:
        files: for each strength of the certificate what `Adapter.files` gave; the first is opened.
        model: what the adapter's `model` says.
        python: an interpreter that has the engine.

    Raises:
        ClientError: `client.engine_missing`: a package is not installed there; `client.engine_timeout`;
            `client.engine_failed`: the process ended with an error; `client.engine_answer`: it did not answer
            what was asked; `client.file`: no such model.
    """
    if not model.exists():
        raise ClientError(f"there is no {model}; {adapter.name} needs {adapter.model}", code="client.file")
    _check_packages(adapter, python)
    with TemporaryDirectory(prefix="bearing-engine-") as name:
        folder = Path(name)
        shutil.copytree(SIDES, folder / "sides", ignore=shutil.ignore_patterns("__pycache__"))
        for named in files:
            for file, data in named.items():
                (folder / file).write_bytes(data)
        job = {
            "model": str(model.resolve()),
            "files": [next(iter(named)) for named in files],
            "strengths": certificate.strengths,
            "probes": [asdict(probe) for probe in certificate.probes],
            "watched": certificate.watched,
        }
        (folder / "job.json").write_text(json.dumps(job))
        _run(adapter, folder, python, timeout_seconds)
        return _answer(adapter, folder / "answer.json")


def installed(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """The versions of those packages that an interpreter has.

    Raises:
        ClientError: `client.engine_failed`: it is no interpreter that runs.
    """
    try:
        done = subprocess.run(
            [str(python), "-c", _VERSIONS, *packages],
            env=_environment(),
            capture_output=True,
            timeout=60,
            check=True,
        )
        return dict(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ClientError(
            f"{python} is no Python that runs here ({_brief(str(error))}); give the path of an interpreter, "
            "such as venv/bin/python",
            code="client.engine_failed",
        ) from error


def _check_packages(adapter: Adapter, python: Path) -> None:
    found = installed(python, adapter.packages)
    missing = [name for name in adapter.packages if name not in found]
    if missing:
        raise ClientError(
            f"{python} has no {' and no '.join(missing)}, which {adapter.name} needs. {adapter.install}; "
            "in an environment of its own, then give it with --python",
            code="client.engine_missing",
        )


def _run(adapter: Adapter, folder: Path, python: Path, timeout_seconds: float) -> None:
    log = folder / "log"
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                [str(python), "-m", f"sides.{adapter.side}", str(folder)],
                cwd=folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise ClientError(
                f"{adapter.name} did not answer within {timeout_seconds:g} seconds and was ended; give more "
                "with --timeout, or a smaller model",
                code="client.engine_timeout",
            ) from error
    if done.returncode:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        raise ClientError(
            f"the process of {adapter.name} ended with {how}: {_last_words(log)}", code="client.engine_failed"
        )


def _environment() -> dict[str, str]:
    """The caller's, less the token; nothing is fetched, and nothing is found in the caller's folders."""
    kept = {name: value for name, value in os.environ.items() if name not in ("BEARING_TOKEN", "PYTHONPATH")}
    return kept | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUTF8": "1"}


def _answer(adapter: Adapter, file: Path) -> Answer:
    try:
        if file.stat().st_size > MAX_ANSWER_BYTES:
            raise ValueError(f"the answer has more than {MAX_ANSWER_BYTES:,} bytes")
        fields: dict[str, Any] = parse_json(file.read_text("utf-8"))
        observed = Observed(_numbers(fields["unsteered"]), _numbers(fields["steered"]))
        versions = {str(name): str(version) for name, version in fields["versions"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, FormatError) as error:
        raise ClientError(
            f"{adapter.name} ended without an answer that can be read: {_brief(str(error))}",
            code="client.engine_answer",
        ) from error
    return Answer(observed, versions)


def _numbers(nested: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(nested, dtype=np.float64).astype(np.float32)


def _last_words(log: Path) -> str:
    """The last line that a process printed, which for Python is the error."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - MAX_LOG_BYTES))
        lines = [line.strip() for line in stream.read().decode("utf-8", "replace").splitlines()]
    return _brief(next((line for line in reversed(lines) if line), "it printed nothing"))


def _brief(text: str) -> str:
    return " ".join(text.split())[:300]
