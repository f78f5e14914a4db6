"""`bearing verify --engine` and `bearing certify`, on real engines, with and without a planted fault."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steering_core.client.engines.adapters import ADAPTERS
from steering_core.formats.bearing import write_vector
from steering_core.formats.conformance import Certificate, read_certificate, write_certificate
from steering_core.spec import digest
from steering_core.vector import SteeringVector
from tests.planted import planted
from tests.steering_core.client.conftest import Published, Reply, build_vector

KEY = "resid_post.1"


@pytest.fixture(scope="module")
def vector(tiny_lm: Any) -> SteeringVector:
    identity = tiny_lm("llama").identity
    made = build_vector(d_model=identity.d_model, n_layers=identity.n_layers, model_hash=identity.model_hash)
    (row,) = made.directions.values()
    return SteeringVector(
        model=identity,
        directions={KEY: row},
        residual_norms={KEY: 4.0},
        provenance=made.provenance,
    )


@pytest.fixture(scope="module")
def certificate(tiny_lm: Any, vector: SteeringVector) -> Certificate:
    from steering_core.evaluation.conformance import certify

    return certify(tiny_lm("llama"), vector)


@pytest.fixture
def files(vector: SteeringVector, certificate: Certificate, tmp_path: Path) -> tuple[Path, Path]:
    """The vector and its certificate."""
    paths = tmp_path / "kind.safetensors", tmp_path / "kind.json"
    paths[0].write_bytes(write_vector(vector))
    paths[1].write_bytes(write_certificate(certificate))
    return paths


@pytest.fixture
def verify(bearing: Any, files: Any, model_folder: Any) -> Any:
    """`bearing verify` on the files and the tiny llama."""

    def run(engine: str, *options: object) -> Any:
        file, certified = files
        named = ("--engine", engine, "--model", model_folder(), "--certificate", certified)
        return bearing("verify", file, *named, *options)

    return run


# --- what an engine does ---


def test_verify_of_an_engine_that_applies_it_rightly(verify: Any) -> None:
    done = verify("transformers", "--json")

    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["conforms"], found["verdict"], found["matched"]) == (True, "conforms", "")
    version = found["versions"]["transformers"]
    assert found["sentence"].startswith(
        f"transformers {version} applies it at the right block, site and sign"
    )
    assert found["likenesses"][0]["cosine"] > 0.9999
    assert found["unsteered_error"] < 1e-4
    assert all(likeness["cosine"] < 0.999 for likeness in found["likenesses"][1:])


@pytest.mark.parametrize(
    ("engine", "fault", "matched"),
    [
        ("transformers", {"step": 1}, "block 2 instead of 1"),
        ("python", {"sign": -1}, "wrong sign"),
    ],
)
def test_verify_of_a_planted_fault_names_it_and_ends_with_5(
    verify: Any, monkeypatch: pytest.MonkeyPatch, engine: str, fault: dict[str, int], matched: str
) -> None:
    monkeypatch.setitem(ADAPTERS, engine, planted(ADAPTERS[engine], **fault))

    done = verify(engine)

    assert done.exit_code == 5, done.output
    assert f"it matched {matched!r}" in done.stdout.splitlines()[0]
    assert "right block, site and sign" in done.stdout


def test_verify_of_a_reference_takes_the_registry_s_certificate(
    bearing: Any,
    server: Any,
    publish: Any,
    model_folder: Any,
    vector: SteeringVector,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BEARING_ENDPOINT", server.url)
    data = write_certificate(certificate)
    said = {"digest": digest(data), "size_bytes": len(data), "url": "http://elsewhere/"}
    published: Published = publish(vector=vector, conformance=said)
    server.on("GET /vectors/acme/kind/versions/1.0.0/conformance", Reply(data))

    done = bearing("verify", "acme/kind@1.0.0", "--engine", "python", "--model", model_folder(), "--json")

    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["digest"], found["version"]) == (published.digest, "1.0.0")
    assert found["conforms"]


# --- what goes wrong ---


def stub(folder: Path, behaviour: str) -> Path:
    """An interpreter that says it has every package, and then behaves as told instead of running the side."""
    versions = dict.fromkeys({name for a in ADAPTERS.values() for name in a.packages}, "1.0")
    file = folder / "python"
    file.write_text(
        f"#!/bin/sh\nif [ \"$1\" = -c ]; then echo '{json.dumps(versions)}'; exit; fi\n{behaviour}\n"
    )
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("behaviour", "code", "said"),
    [
        ("exec sleep 60", "client.engine_timeout", "within 1 seconds"),
        ("kill -SEGV $$", "client.engine_failed", "signal 11"),
        (
            "echo Traceback; echo 'ValueError: no such tensor'; exit 1",
            "client.engine_failed",
            "ValueError: no such",
        ),
        ("exit 3", "client.engine_failed", "status 3: it printed nothing"),
        ("exit 0", "client.engine_answer", "without an answer"),
        ("echo '{\"unsteered\": [' > answer.json", "client.engine_answer", "without an answer"),
        ("echo '[]' > answer.json", "client.engine_answer", "without an answer"),
        ("head -c 70000000 /dev/zero > answer.json", "client.engine_answer", "bytes"),
        (
            'echo \'{"versions": {}, "unsteered": [[1, NaN]], "steered": [[[1, 2]]]}\' > answer.json',
            "client.engine_answer",
            "NaN",
        ),
        (
            'echo \'{"versions": {}, "unsteered": [[1, [2]]], "steered": []}\' > answer.json',
            "client.engine_answer",
            "without an answer",
        ),
    ],
)
def test_verify_of_an_engine_that_fails_says_how(
    verify: Any, tmp_path: Path, behaviour: str, code: str, said: str
) -> None:
    done = verify("repeng", "--python", stub(tmp_path, behaviour), "--timeout", 1, "--json")

    assert done.exit_code == 1, done.output
    error = json.loads(done.stdout)["error"]
    assert error["code"] == code
    assert said in error["message"]


def test_verify_of_an_answer_of_another_shape_ends_with_5(verify: Any, tmp_path: Path) -> None:
    answer = 'echo \'{"versions": {}, "unsteered": [[1.0]], "steered": [[[1.0]]]}\' > answer.json'

    done = verify("repeng", "--python", stub(tmp_path, answer), "--json")

    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (5, "conformance.observed")


def test_verify_passes_no_token_to_the_engine(
    verify: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEARING_TOKEN", "brg_secret")

    done = verify("repeng", "--python", stub(tmp_path, 'echo "token: $BEARING_TOKEN."; exit 1'))

    assert "token: ." in done.stderr


@pytest.mark.parametrize("engine", ["repeng", "llama.cpp", "steering-vectors"])
def test_verify_of_an_engine_that_is_not_installed_says_how_to(verify: Any, engine: str) -> None:
    done = verify(engine, "--json")

    assert done.exit_code == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "client.engine_missing"
    assert f"{ADAPTERS[engine].packages[0]}==" in error["message"]


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        (("--engine", "vllm", "--model", "."), 1, "client.engine"),
        (("--engine", "python"), 2, "--model"),
        (("--engine", "python", "--model", "."), 2, "--certificate"),
        (("--model", "."), 2, "--engine"),
        (("--engines", "--python", "/nowhere/python"), 1, "client.engine_failed"),
    ],
)
def test_verify_of_options_that_do_not_fit_says_what_is_missing(
    bearing: Any, files: Any, options: tuple[str, ...], exit_code: int, said: str
) -> None:
    done = bearing("verify", files[0], *options)

    assert done.exit_code == exit_code
    assert said in done.output


def test_verify_without_a_target_is_a_usage_error(bearing: Any) -> None:
    assert bearing("verify").exit_code == 2


def test_verify_of_a_model_that_is_not_there_says_so(bearing: Any, files: Any, tmp_path: Path) -> None:
    named = ("--engine", "python", "--model", tmp_path / "none", "--certificate", files[1])

    done = bearing("verify", files[0], *named)

    assert done.exit_code == 1
    assert "(client.file)" in done.stderr


def test_verify_with_the_certificate_of_another_vector_ends_with_5(
    bearing: Any, files: Any, model_folder: Any, vector: SteeringVector, tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(write_vector(-vector))
    named = ("--engine", "python", "--model", model_folder(), "--certificate", files[1])

    done = bearing("verify", other, *named, "--json")

    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (5, "conformance.other_vector")


def test_verify_of_what_the_engine_cannot_do_says_why(
    bearing: Any, files: Any, tiny_lm: Any, model_folder: Any, tmp_path: Path
) -> None:
    from steering_core.evaluation.conformance import certify

    identity = tiny_lm("llama").identity
    row = np.ones(identity.d_model, dtype=np.float32)
    made = SteeringVector(
        model=identity,
        directions={"attn_out.1": row},
        residual_norms={"attn_out.1": 4.0},
        provenance=build_vector().provenance,
    )
    file, certified = tmp_path / "attn.safetensors", tmp_path / "attn.json"
    file.write_bytes(write_vector(made))
    certified.write_bytes(write_certificate(certify(tiny_lm("llama"), made)))
    named = ("--engine", "llama.cpp", "--model", model_folder(), "--certificate", certified)

    done = bearing("verify", file, *named, "--json")

    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (5, "engine.site")


def test_verify_engines_lists_what_this_python_has(bearing: Any) -> None:
    done = bearing("verify", "--engines", "--json")

    assert done.exit_code == 0
    rows = {row["engine"]: row for row in json.loads(done.stdout)["items"]}
    assert set(rows) == set(ADAPTERS)
    assert rows["transformers"]["is_installed"]
    assert rows["python"]["versions"].keys() == {"transformers", "torch"}
    assert not rows["llama.cpp"]["is_installed"]
    assert "llama-cpp-python==" in rows["llama.cpp"]["install"]
    assert "repeng" in bearing("verify", "--engines").stdout


def test_verify_engines_takes_a_link_to_an_interpreter_as_it_stands(bearing: Any) -> None:
    """The Python of a virtual environment is a link, and knows its packages by where the link is."""
    done = bearing("verify", "--engines", "--python", sys.executable, "--json")

    found = json.loads(done.stdout)
    assert (found["python"], found["items"][0]["is_installed"]) == (sys.executable, True)


# --- certify ---


def test_certify_writes_what_verify_reads(
    bearing: Any, files: Any, model_folder: Any, certificate: Certificate, tmp_path: Path
) -> None:
    output = tmp_path / "made.json"

    done = bearing("certify", files[0], "--model", model_folder(), "-o", output, "--json")

    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["digest"] == digest(output.read_bytes())
    assert "block 0 instead of 1" in said["decoys"]
    made = read_certificate(output.read_bytes())
    assert (made.probes, made.watched) == (certificate.probes, certificate.watched)


def test_certify_of_strengths_and_seed_takes_them(
    bearing: Any, files: Any, model_folder: Any, tmp_path: Path
) -> None:
    output = tmp_path / "made.json"
    named = ("--strength", "0.5", "--strength", "-0.1", "--seed", 3)

    done = bearing("certify", files[0], "--model", model_folder(), "-o", output, *named)

    assert done.exit_code == 0, done.output
    assert read_certificate(output.read_bytes()).strengths == (-0.1, 0.5)
    assert bearing("certify", files[0], "--model", model_folder(), "-o", output).exit_code == 1  # no --force


def test_certify_on_another_model_ends_with_5(
    bearing: Any, files: Any, model_folder: Any, tmp_path: Path
) -> None:
    done = bearing("certify", files[0], "--model", model_folder("gpt2"), "-o", tmp_path / "made.json")

    assert done.exit_code == 5
    assert "(model.mismatch)" in done.stderr


def test_verify_itself_loads_no_torch() -> None:
    code = (
        "import sys, steering_core.client.cli_verify, steering_core.client.engines.running;"
        "sys.exit('torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
