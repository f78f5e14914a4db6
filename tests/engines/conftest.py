"""Every engine on two models: the demo model with a vector extracted from it, and a random llama."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from typer.testing import CliRunner

from steering_core.client.cli import app
from steering_core.client.engines.adapters import ADAPTERS, Adapter
from steering_core.client.engines.running import Answer, run_engine
from steering_core.demo.datasets import demo_pairs
from steering_core.demo.paths import weights_path
from steering_core.evaluation.conformance import certify
from steering_core.formats.bearing import read_vector
from steering_core.formats.conformance import Certificate
from steering_core.formats.conformance_finding import Finding, compare
from steering_core.formats.loose import loosen
from steering_core.models.load import LanguageModel, load_model
from steering_core.pairs.jsonl import write_jsonl
from steering_core.spec import Provenance
from steering_core.vector import SteeringVector
from tests.engines.environments import python_of
from tests.engines.to_gguf import write_gguf_model
from tests.steering_core.conftest import write_tiny_model

MEASURED: list[str] = []


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, a vector on one of its middle blocks, and the vector's certificate."""

    lm: LanguageModel
    folder: Path
    vector: SteeringVector
    certificate: Certificate

    @property
    def block(self) -> int:
        """Where the vector is."""
        (key,) = self.vector.directions
        return int(key.partition(".")[2])


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Subject]:
    """`demo` or `random`, made once."""
    torch.set_num_threads(1)
    made: dict[str, Subject] = {}

    def make(name: str) -> Subject:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            made[name] = demo_subject(folder) if name == "demo" else random_subject(folder)
        return made[name]

    return make


def demo_subject(folder: Path) -> Subject:
    pairs, file = folder / "pairs.jsonl", folder / "vector.safetensors"
    pairs.write_bytes(write_jsonl(demo_pairs("formality", 120, 7)))
    asked = ("extract-local", weights_path(), pairs, "-o", file, "--blocks", "2", "--json")
    done = CliRunner().invoke(app, [str(word) for word in asked])
    assert done.exit_code == 0, done.output
    lm = load_model(weights_path(), dtype="float32", name="demo")
    vector = read_vector(file.read_bytes(), json.loads(done.stdout)["digest"])
    return Subject(lm, weights_path(), vector, certify(lm, vector))


def random_subject(folder: Path) -> Subject:
    """Five blocks, so that a vector in the middle has neighbours that every engine can steer."""
    config = AutoConfig.from_pretrained(write_tiny_model(folder, "llama"))
    config.num_hidden_layers = 5
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).eval().save_pretrained(folder)
    lm = load_model(folder, dtype="float32", name="random")
    row = np.random.default_rng(0).normal(size=lm.identity.d_model).astype(np.float32)
    vector = SteeringVector(
        model=lm.identity,
        directions={"resid_post.2": row},
        residual_norms={"resid_post.2": 4.0},
        provenance=Provenance("mean_difference", "response_mean", "", "", "tests"),
    )
    return Subject(lm, folder, vector, certify(lm, vector))


@pytest.fixture(scope="session")
def model_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The model as an engine loads it."""
    made: dict[tuple[str, str], Path] = {}

    def model(engine: str, subject: Subject, quantisation: str = "F32") -> Path:
        if engine != "llama.cpp":
            return subject.folder
        key = (subject.lm.identity.name, quantisation)
        if key not in made:
            file = tmp_path_factory.mktemp("gguf") / "model.gguf"
            chosen = None if quantisation == "F32" else gguf.GGMLQuantizationType[quantisation]
            made[key] = write_gguf_model(subject.folder, file, chosen)
        return made[key]

    return model


@pytest.fixture
def run(model_for: Any) -> Callable[..., tuple[Answer, Finding]]:
    """(engine, subject) -> what the engine answered, and what that shows."""

    def measured(
        engine: str,
        subject: Subject,
        quantisation: str = "F32",
        adapter: Adapter | None = None,
        model: Path | None = None,
    ) -> tuple[Answer, Finding]:
        chosen, certificate = adapter or ADAPTERS[engine], subject.certificate
        files = [
            chosen.files(chosen.export(loosen(subject.vector, strength)), f"vector{i}")
            for i, strength in enumerate(certificate.strengths)
        ]
        model = model or model_for(engine, subject, quantisation)
        answer = run_engine(chosen, certificate, files, model, python=python_of(engine))
        finding = compare(certificate, answer.observed)
        MEASURED.append(row_of(engine, subject, quantisation, answer, finding))
        return answer, finding

    return measured


def row_of(engine: str, subject: Subject, quantisation: str, answer: Answer, finding: Finding) -> str:
    """A line of the table in docs/engines.md."""
    right, *faults = finding.likenesses
    nearest = max(faults, key=lambda fault: fault.cosine)
    version = answer.versions[ADAPTERS[engine].packages[0]]
    cells = (
        f"{engine} {version}",
        f"{subject.lm.identity.name}, {quantisation}",
        finding.matched or finding.verdict,
        f"{finding.unsteered_error:.1e}",
        f"{right.cosine:.7f}",
        f"{right.size:.4f}",
        f"{nearest.cosine:.3f} ({nearest.name})",
    )
    return f"| {' | '.join(cells)} |"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was measured, ready for docs/engines.md."""
    if MEASURED:
        terminalreporter.write_sep("=", "measured")
        for line in MEASURED:
            terminalreporter.write_line(line)
