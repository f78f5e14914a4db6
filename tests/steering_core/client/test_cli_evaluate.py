"""`bearing evaluate`: the whole report of a vector file, on the tiny model of these tests."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from steering_core.formats.bearing import read_vector, write_vector
from steering_core.pairs.jsonl import write_jsonl
from steering_core.pairs.pair import ContrastivePair

SCORER = {
    "bearing_scorer": 1,
    "name": "test:speed",
    "label": "speed",
    "negative": {"pole": "slow", "words": ["slow"]},
    "positive": {"pole": "fast", "words": ["fast"]},
}


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Thirty pairs about speed in fifteen groups, in words that the tiny model has."""
    words = ("cat", "dog", "mat", "tea", "cup", "sky")
    rows = [
        ContrastivePair(f"the {w} ran fast", f"the {w} sat slow", f"the {w} {v} ?", f"{w} {v}")
        for w in words
        for v in ("ran", "sat", "on", "yes", "no")
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(write_jsonl(rows))
    return file


def test_evaluate_prints_the_report_and_writes_it(
    bearing: Any, made: Any, pairs: Path, model_folder: Any, tmp_path: Path
) -> None:
    found, _ = made(pairs)
    scorer, report = tmp_path / "words.json", tmp_path / "report.json"
    scorer.write_text(json.dumps(SCORER))

    done = bearing(
        *("evaluate", found["file"], pairs, "--model", model_folder(), "--tier", "smoke", "--json"),
        *("--scorer", scorer, "--report", report),
    )

    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)["report"]
    assert shown == json.loads(report.read_text())
    assert (shown["tier"], shown["trait"]["scorer"], shown["grade"]) == (
        "smoke",
        "test:speed",
        shown["grade"],
    )
    assert {gate["name"] for gate in shown["gates"]} >= {"existence", "causal", "safety"}


def test_evaluate_vector_of_another_model_is_refused(
    bearing: Any, made: Any, pairs: Path, model_folder: Any
) -> None:
    found, _ = made(pairs)

    done = bearing("evaluate", found["file"], pairs, "--model", model_folder("qwen3"), "--tier", "smoke")

    assert done.exit_code == 5
    assert "this is for model sha256:" in done.output


def test_evaluate_writes_the_vector_with_the_window_it_found(
    bearing: Any, made: Any, pairs: Path, model_folder: Any, tmp_path: Path
) -> None:
    _, vector = made(pairs)
    claimed, output = tmp_path / "claimed.safetensors", tmp_path / "measured.safetensors"
    claimed.write_bytes(write_vector(replace(vector, window=(-2.0, 2.0))))

    done = bearing(
        *("evaluate", claimed, pairs, "--model", model_folder(), "--tier", "smoke", "-o", output, "--json")
    )

    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)["report"]
    assert shown["vector"]["advertised_window"] == [-2.0, 2.0]
    assert read_vector(output.read_bytes()).window != (-2.0, 2.0)


def test_evaluate_scorer_that_is_none_is_refused_before_the_model_is_loaded(
    bearing: Any, made: Any, pairs: Path, model_folder: Any, tmp_path: Path
) -> None:
    found, _ = made(pairs)
    scorer = tmp_path / "words.json"
    scorer.write_text("{}")

    done = bearing("evaluate", found["file"], pairs, "--model", model_folder(), "--scorer", scorer)

    assert done.exit_code == 1
    assert "evaluation.scorer_fields" in done.output
