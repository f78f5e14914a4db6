"""`make demo ONCE=1`, as a stranger runs it: through pages and command line, on a fresh data folder."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from registry.embedded.demo import Demo, DemoError, check_effect, element_text, keep, walk
from steering_core.demo.suite import demo_suite
from steering_core.evaluation.cost import predicted_rows
from steering_core.evaluation.gates import GATES
from steering_core.spec import BUDGETS

ROOT = Path(__file__).resolve().parents[2]


def test_demo_once_publishes_a_vector_that_beats_every_random_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "registry.embedded", "--data", str(data)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            [*command, "demo", "--once"], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        result = json.loads((tmp_path / "demo-result.json").read_text())
    finally:
        subprocess.run([*command, "erase"], cwd=tmp_path, env=env, check=True)
    assert result["ok"] is True
    assert result["digest"].startswith("sha256:")
    assert result["model_hash"].startswith("sha256:")
    check_report(result)
    assert len(result["random_control"]["effects"]) == 19
    assert abs(result["effect"]["value"]) > max(map(abs, result["random_control"]["effects"]))
    assert {"strength", "mean", "low", "high"} <= result["dose_response"][0].keys()
    assert result["texts"][0]["before"] != result["texts"][0]["after"]
    assert "password" not in result
    assert "grade" in done.stdout
    print(f"first steered text after {result['seconds_to_first_steered_text']} s")


def check_report(result: dict[str, Any]) -> None:
    """What the standard tier says of a style that the demo model has."""
    verdicts = {gate["name"]: gate["verdict"] for gate in result["gates"]}
    assert set(verdicts) == set(GATES)
    assert set(verdicts.values()) <= {"pass", "warn"}, verdicts
    assert (result["verdict"], result["grade"]) == ("warn", "B")
    assert result["summary"].startswith("Turns replies from casual to formal; works from -")
    metrics = {metric["id"]: metric for metric in result["metrics"]}
    for metric in metrics.values():
        if metric["low"] is not None and metric["value"] is not None:
            assert metric["low"] - 1e-6 <= metric["value"] <= metric["high"] + 1e-6, metric
    assert metrics["effect"]["low"] > metrics["effect"]["beside"]["value"]
    assert result["headlines"][0] == metrics["prompting"]["reason"]
    means = [point["mean"] for point in result["dose_response"]]
    assert means[2] < means[5] < means[8]
    predicted = predicted_rows(
        BUDGETS["standard"], n_items=result["counts"]["test"], n_attacks=len(demo_suite().attacks)
    )
    assert result["cost"]["forward_rows"] == pytest.approx(predicted, rel=0.1)


def demo_of(tmp_path: Path, url: str = "http://127.0.0.1:9") -> Demo:
    return Demo(url, tmp_path, Console(quiet=True), started=0.0)


def test_check_effect_below_the_control_fails(tmp_path: Path) -> None:
    demo = demo_of(tmp_path)
    demo.result = {"effect": {"value": 0.2}, "random_control": {"effects": [0.1, -0.3]}}
    with pytest.raises(DemoError, match="does not exceed"):
        check_effect(demo)


def test_walk_service_away_comes_back_as_a_failure(tmp_path: Path) -> None:
    assert isinstance(walk(demo_of(tmp_path)), httpx.TransportError)


def test_keep_failed_walk_writes_the_error_and_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    demo = demo_of(tmp_path)
    demo.result = {"owner": "demo", "password": "secret"}
    keep(demo, DemoError("no form"))
    written = (tmp_path / "demo-result.json").read_text()
    assert json.loads(written)["error"] == "no form"
    assert "secret" not in written


def test_bearing_that_fails_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="bearing show ended with status"):
        demo_of(tmp_path).bearing("show", "nobody/nothing")


def test_element_text_missing_is_refused() -> None:
    assert element_text('<p><code id="new-token">abc &amp; d</code></p>', "new-token") == "abc & d"
    with pytest.raises(DemoError, match="no element"):
        element_text("<p></p>", "new-token")
