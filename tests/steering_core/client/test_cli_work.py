"""The commands that do the work: datasets, extraction with its progress, and trying a vector on a model."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from steering_core.client.cli import app
from steering_core.pairs.jsonl import write_jsonl
from steering_core.pairs.pair import ContrastivePair
from steering_core.spec import digest
from tests.reports import make_report

RUN = "0198a4c0-1111-7000-8000-000000000001"
VERSION = "0198a4c0-2222-7000-8000-000000000002"
PAIRS = [
    ContrastivePair(prompt=f"question {i}", positive=f"a very kind answer {i}", negative=f"a rude answer {i}")
    for i in range(20)
]
REPORT = {
    "verdict": "warn",
    "summary": "Turns replies from rude to kind.",
    "trait": {"negative_pole": "rude", "positive_pole": "kind"},
    "metrics": [
        {
            "id": "auroc",
            "question": "Does the direction exist?",
            "label": "AUROC",
            "value": 0.98,
            "low": 0.9,
            "high": 1.0,
            "beside": {"label": "by length alone", "value": 0.5},
            "verdict": "pass",
            "reason": "",
        },
        {
            "id": "ratio",
            "question": "q",
            "label": "l",
            "value": None,
            "low": None,
            "high": None,
            "verdict": "warn",
        },
    ],
    "dose_response": {
        "score": "kindness",
        "n_prompts": 4,
        "points": [
            {"strength": s, "multiplier": s, "mean": s, "low": s - 0.1, "high": s + 0.1, "coherence": 1.0}
            for s in (-0.3, 0.0, 0.3)
        ],
        "control": {
            "n_vectors": 2,
            "strength": 0.3,
            "effects": [0.02, -0.05],
            "points": [{"strength": 0.3, "median": 0.0, "low": -0.1, "high": 0.1}],
            "kind": "isotropic, equal norm",
        },
        "effect": {"value": 0.6, "low": 0.5, "high": 0.7},
        "window": [-0.3, 0.3],
    },
}
EXTRACTED = {
    "id": VERSION,
    "vector": "acme/kind",
    "version": None,
    "state": "extracted",
    "digest": "sha256:" + "a" * 64,
    "base_model": {"name": "bearing/demo", "model_hash": "sha256:" + "b" * 64},
    "dataset": "acme/pairs@1",
    "report": REPORT,
}


def run(state: str, progress: float = 0.0, **fields: Any) -> dict[str, Any]:
    common = {
        "id": RUN,
        "stage": state,
        "attempt": 1,
        "vector": "acme/kind",
        "version_id": VERSION,
        "error": None,
    }
    return common | {"state": state, "progress": progress} | fields


@pytest.fixture
def bearing(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BEARING_ENDPOINT", server.url)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return call


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(write_jsonl(PAIRS))
    return file


EXTRACT = ("extract", "acme/pairs", "--model", "bearing/demo", "--vector", "kind")


def test_dataset_check_shows_form_and_report_without_a_registry(
    bearing: Any, server: Any, pairs_file: Path
) -> None:
    found = json.loads(bearing("dataset", "check", str(pairs_file), "--json").stdout)
    assert (found["format"], found["n_pairs"], found["digest"]) == ("jsonl", 20, digest(write_jsonl(PAIRS)))
    assert "20, of which 20 usable" in bearing("dataset", "check", str(pairs_file)).stdout
    assert server.seen == []


def test_dataset_check_two_files_are_zipped(bearing: Any, tmp_path: Path) -> None:
    for name in ("kind", "rude"):
        (tmp_path / name).write_text("".join(f"a {name} answer {i}\n" for i in range(12)))
    done = bearing("dataset", "check", str(tmp_path / "kind"), str(tmp_path / "rude"), "--json")
    assert json.loads(done.stdout)["format"] == "two_files"


def test_dataset_check_unusable_file_names_the_row(bearing: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"positive": "a", "negative": "b"}\n{"positive": 1}\n')
    done = bearing("dataset", "check", str(tmp_path / "bad.jsonl"))
    assert done.exit_code == 1
    assert "row 2" in done.stderr
    assert bearing("dataset", "check", str(tmp_path / "missing")).exit_code == 1


def test_dataset_push_shows_the_report_first_and_sends_the_bytes(
    bearing: Any, server: Any, reply: Any, pairs_file: Path
) -> None:
    version = {"reference": "acme/pairs@1", "digest": digest(write_jsonl(PAIRS)), "url": "http://x/1"}
    server.on("POST /datasets", reply(json.dumps(version).encode(), 201))
    done = bearing("dataset", "push", str(pairs_file), "--name", "pairs", "--public", "--json")
    assert json.loads(done.stdout) == version | {"created": True}
    assert "20 usable" in done.stderr
    assert pairs_file.read_bytes() in server.seen[0].body


def test_dataset_push_unusable_file_is_not_sent(bearing: Any, server: Any, tmp_path: Path) -> None:
    (tmp_path / "few.jsonl").write_bytes(write_jsonl(PAIRS[:3]))
    done = bearing("dataset", "push", str(tmp_path / "few.jsonl"), "--name", "pairs")
    assert done.exit_code == 1
    assert "dataset.too_few_pairs" in done.stderr
    assert server.seen == []


def test_extract_waits_and_shows_report_and_curve(bearing: Any, server: Any) -> None:
    events = [{"id": 1, "stage": "extract", "progress": 0.1, "message": "reading"}]
    server.on("POST /runs", run("queued"))
    server.on(f"GET /runs/{RUN}", run("running", 0.5), run("succeeded", 1.0))
    server.on(f"GET /runs/{RUN}/events", {"items": events}, {"items": []})
    server.on(f"GET /versions/{VERSION}", EXTRACTED)
    done = bearing(*EXTRACT, "--tier", "smoke")
    assert done.exit_code == 0, done.output
    assert "10%  extract: reading" in done.stderr
    for expected in (
        "verdict warn",
        "by length alone 0.50",
        "random +0.30",
        "-1 rude",
        "usable window: -0.3 to +0.3",
    ):
        assert expected in done.stdout
    assert "the largest of 2 random vectors of equal norm: 0.05" in done.stdout


def test_show_of_a_report_with_gates_says_grade_headlines_and_gates(bearing: Any, server: Any) -> None:
    report = make_report("insufficient")
    server.on("GET /vectors/acme/kind/versions/1.0.0", EXTRACTED | {"report": report})

    done = bearing("show", "acme/kind@1.0.0")

    assert done.exit_code == 0, done.output
    for expected in (
        "verdict insufficient  grade C at tier standard",
        "- A system prompt does more than this vector",
        "side effects  insufficient",
        "safety        pass",
    ):
        assert expected in done.stdout


def test_extract_json_is_run_and_version(bearing: Any, server: Any) -> None:
    server.on("POST /runs", run("queued"))
    server.on(f"GET /runs/{RUN}", run("succeeded", 1.0))
    server.on(f"GET /runs/{RUN}/events", {"items": []})
    server.on(f"GET /versions/{VERSION}", EXTRACTED)
    done = json.loads(bearing(*EXTRACT, "--json").stdout)
    assert done == {"run": run("succeeded", 1.0), "version": EXTRACTED}


def test_extract_failed_run_ends_with_1_and_its_reason(bearing: Any, server: Any) -> None:
    error = {"class": "user", "code": "extraction.failed", "message": "the two sides are the same"}
    server.on("POST /runs", run("queued"))
    server.on(f"GET /runs/{RUN}", run("failed", 0.2, error=error))
    server.on(f"GET /runs/{RUN}/events", {"items": []})
    done = bearing(*EXTRACT, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["run"]["state"] == "failed"
    assert done.stderr.endswith("error: the two sides are the same (extraction.failed)\n")


def test_extract_no_wait_only_starts(bearing: Any, server: Any) -> None:
    server.on("POST /runs", run("queued"))
    done = bearing(*EXTRACT, "--publish", "1.0.0", "--license", "MIT", "--public", "--no-wait")
    assert done.exit_code == 0
    sent = json.loads(server.seen[0].body)
    assert (sent["publish_version"], sent["license"], sent["visibility"]) == ("1.0.0", "MIT", "public")
    assert len(server.seen) == 1


def test_extract_sends_method_and_site(bearing: Any, server: Any) -> None:
    server.on("POST /runs", run("queued"))
    bearing(*EXTRACT, "--method", "logistic_probe", "--site", "resid_post@2", "--no-wait")
    sent = json.loads(server.seen[0].body)
    assert (sent["method"], sent["site"]) == ("logistic_probe", "resid_post@2")


@pytest.mark.parametrize("wrong", [("--site", "resid_pre"), ("--site", "mlp_out@1"), ("--method", "magic")])
def test_extract_unknown_method_or_site_asks_nothing(
    bearing: Any, server: Any, wrong: tuple[str, str]
) -> None:
    assert bearing(*EXTRACT, *wrong).exit_code == 2
    assert server.seen == []


def test_run_statistics_writes_the_verified_file(
    bearing: Any, server: Any, reply: Any, tmp_path: Path
) -> None:
    kept = {"digest": digest(b"activations"), "size_bytes": 11}
    server.on(f"GET /runs/{RUN}", run("succeeded", 1.0, statistics=kept))
    server.on(f"GET /runs/{RUN}/statistics", reply(b"activations"), reply(b"activatiOns"))
    file = tmp_path / "statistics.safetensors"
    done = bearing("run", "statistics", RUN, "-o", str(file), "--json")
    assert json.loads(done.stdout) == {"run": RUN, **kept, "output": str(file)}
    assert file.read_bytes() == b"activations"
    assert bearing("run", "statistics", RUN, "-o", str(tmp_path / "other")).exit_code == 5
    assert "11 bytes" in bearing("run", "show", RUN).stdout


def test_report_says_where_to_start_and_how_steady_it_is(bearing: Any, server: Any) -> None:
    parts = {
        "selection": {"strength": 0.2},
        "stability": {"reliability": 0.9714},
        "counts": {"train": 120, "train_needed": 45},
    }
    server.on("GET /vectors/acme/kind/versions/1.0.0", EXTRACTED | {"report": REPORT | parts})
    shown = bearing("show", "acme/kind@1.0.0").stdout
    for text in ("strength +0.2", "cosine 0.971 expected", "about 45 train pairs give 0.95; 120 were used"):
        assert text in shown


def test_run_watch_interrupted_says_how_to_come_back(server: Any, tmp_path: Path) -> None:
    server.on(f"GET /runs/{RUN}", run("running", 0.5))
    server.on(f"GET /runs/{RUN}/events", {"items": []})
    process = subprocess.Popen(
        [sys.executable, "-m", "steering_core.client", "run", "watch", RUN],
        env={**os.environ, "BEARING_ENDPOINT": server.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell ignores Ctrl-C, and hands that on to its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        while not server.seen:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            output, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert output == ""
    assert f"bearing run watch {RUN}" in errors
    assert "Traceback" not in errors


def test_run_cancel_says_what_happens(bearing: Any, server: Any) -> None:
    server.on(f"POST /runs/{RUN}/cancel", run("running"), run("cancelled"))
    assert "at its next step" in bearing("run", "cancel", RUN).stderr
    assert "the run is cancelled" in bearing("run", "cancel", RUN).stderr


def test_show_draft_and_lists_read_well(bearing: Any, server: Any) -> None:
    server.on("GET /vectors/acme/kind/versions/1.0.0", EXTRACTED | {"version": "1.0.0", "license": "MIT"})
    assert "acme/kind@1.0.0" in bearing("show", "acme/kind@1.0.0").stdout
    server.on("GET /runs", {"items": [run("running", 0.5, created_at="2026-11-22T10:00:00Z")]})
    assert "running  50%" in bearing("run", "list").stdout
    server.on("GET /datasets", {"items": [], "next_cursor": None})
    assert bearing("dataset", "list").stdout == "no datasets\n"


@pytest.fixture
def served_tiny(tiny_lm: Any, publish: Any, make_vector: Any) -> Any:
    """A vector of the tiny model, as acme/kind@1.0.0."""
    identity = tiny_lm().identity
    sizes = {"n_layers": identity.n_layers, "d_model": identity.d_model}
    return publish(vector=make_vector(model_hash=identity.model_hash, **sizes))


def test_try_shows_replies_with_and_without_the_vector(
    bearing: Any, served_tiny: Any, model_folder: Any
) -> None:
    prompts = ("--prompt", "the cat ran", "--prompt", "a dog sat", "--strength", "0", "--strength", "0.5")
    options = ("--model", str(model_folder()), "--max-new-tokens", "6", "--seed", "3")
    done = bearing("try", "acme/kind@1.0.0", *options, *prompts, "--json")
    assert done.exit_code == 0, done.output
    samples = json.loads(done.stdout)["samples"]
    assert [(s["prompt"], s["strength"]) for s in samples][:2] == [("the cat ran", 0.0), ("the cat ran", 0.5)]
    assert samples[0]["before"] == samples[0]["after"]
    assert any(s["before"] != s["after"] for s in samples)
    assert bearing("try", "acme/kind@1.0.0", *options, *prompts, "--json").stdout == done.stdout
    assert "without steering" in bearing("try", "acme/kind@1.0.0", *options, *prompts).stdout


def test_try_on_another_model_ends_with_5(bearing: Any, served_tiny: Any, model_folder: Any) -> None:
    done = bearing("try", "acme/kind@1.0.0", "--model", str(model_folder("gpt2")), "--prompt", "the cat")
    assert done.exit_code == 5
    assert "model.mismatch" in done.stderr


def test_try_without_a_model_folder_says_so(bearing: Any, served_tiny: Any, tmp_path: Path) -> None:
    done = bearing("try", "acme/kind@1.0.0", "--model", str(tmp_path / "none"), "--prompt", "the cat")
    assert done.exit_code == 1
    assert "there is no folder" in done.stderr
