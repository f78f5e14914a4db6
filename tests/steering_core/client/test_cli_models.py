"""`bearing compatibility` and `bearing migrate`, between the demo model and copies of known truth."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steering_core.demo import demo_pairs, weights_path
from steering_core.formats.bearing import read_vector, write_vector
from steering_core.pairs.jsonl import write_jsonl
from steering_core.spec import Provenance, digest
from steering_core.vector import SteeringVector


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs, texts, a vector of the demo model, the same model under another hash (`update`)
    and turned into another basis (`rotated`).
    """
    from steering_core.evaluation.transfer import _own, trial
    from steering_core.models.load import load_model
    from steering_core.pairs.splits import split_pairs
    from tests.steering_core.evaluation.turned_models import random_rotation, turned

    folder = tmp_path_factory.mktemp("lab")
    pairs, lm = demo_pairs("formality", 48, seed=21), load_model(weights_path())
    named = digest(write_jsonl(pairs))
    (folder / "pairs.jsonl").write_bytes(write_jsonl(pairs))
    (folder / "chats.jsonl").write_bytes(write_jsonl(demo_pairs("warmth", 24, seed=4)))
    shutil.copytree(weights_path(), folder / "update")
    (folder / "update" / "generation_config.json").write_text('{"eos_token_id": 2, "pad_token_id": 0}')
    rotated = turned(lm, random_rotation(128, seed=1), "rotated")
    rotated.model.config.tie_word_embeddings = False
    rotated.model.save_pretrained(folder / "rotated")
    lm.tokenizer.save_pretrained(folder / "rotated")
    any_direction = SteeringVector(
        model=lm.identity,
        directions={"resid_post.1": np.ones(128, np.float32)},
        residual_norms={"resid_post.1": 1.0},
        provenance=Provenance("mean_difference", "response_mean", named, "", "tests"),
    )
    own = _own(trial(lm, any_direction, pairs, split_pairs(pairs, named), folder))
    (folder / "kind.safetensors").write_bytes(write_vector(own))
    return folder


@pytest.fixture
def compared(bearing: Any, lab: Path) -> Any:
    """(new, *more) -> the finished `bearing compatibility`."""

    def run(new: str, *more: object) -> Any:
        where = ("--old", weights_path(), "--new", lab / new, "--pairs", lab / "pairs.jsonl")
        return bearing("compatibility", lab / "kind.safetensors", *where, *more)

    return run


@pytest.fixture
def migrated(bearing: Any, lab: Path, tmp_path: Path) -> Any:
    """(*more) -> the finished `bearing migrate` to the rotated model, into moved.safetensors."""

    def run(*more: object) -> Any:
        where = ("--from", weights_path(), "--to", lab / "rotated", "--texts", lab / "chats.jsonl")
        return bearing(
            "migrate", lab / "kind.safetensors", *where, "-o", tmp_path / "moved.safetensors", *more
        )

    return run


@pytest.mark.parametrize("command", ["compatibility", "migrate"])
def test_help_has_examples_and_says_what_is_needed(bearing: Any, command: str) -> None:
    shown = bearing(command, "--help")

    assert shown.exit_code == 0
    assert f"bearing {command}" in shown.stdout
    assert "--json" in shown.stdout


# --- compatibility ---


def test_compatibility_of_the_same_weights_ends_with_zero(compared: Any, tmp_path: Path) -> None:
    kept = tmp_path / "found.json"

    ran = compared("update", "-o", kept, "--json")

    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert found["verdict"] == "compatible"
    assert found["old"]["model_hash"] != found["new"]["model_hash"]
    assert json.loads(kept.read_text(encoding="utf-8")) == found


def test_compatibility_of_a_rotated_model_ends_with_five_and_says_what_to_do(compared: Any) -> None:
    ran = compared("rotated")

    assert ran.exit_code == 5
    assert "incompatible" in ran.stdout
    assert "Do not use it" in ran.stdout
    assert "not screened" in ran.stdout


def test_compatibility_with_the_wrong_old_model_is_refused(bearing: Any, lab: Path) -> None:
    where = ("--old", lab / "update", "--new", lab / "rotated", "--pairs", lab / "pairs.jsonl")

    ran = bearing("compatibility", lab / "kind.safetensors", *where)

    assert ran.exit_code == 5
    assert "model.mismatch" in ran.stderr


def test_compatibility_without_pairs_to_hold_out_is_refused(bearing: Any, lab: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_bytes(write_jsonl(demo_pairs("formality", 2, seed=1)))

    ran = bearing(
        "compatibility",
        lab / "kind.safetensors",
        "--old",
        weights_path(),
        "--new",
        lab / "update",
        "--pairs",
        few,
    )

    assert ran.exit_code == 1
    assert "dataset.too_few_pairs" in ran.stderr


# --- migrate ---


def test_migrate_without_pairs_says_that_nothing_is_measured(migrated: Any, tmp_path: Path) -> None:
    ran = migrated()

    assert ran.exit_code == 0, ran.output
    assert "nothing is measured yet" in ran.stderr
    vector = read_vector((tmp_path / "moved.safetensors").read_bytes())
    assert (vector.window, vector.doses, vector.provenance.method) == (None, (), "migrated")


def test_migrate_with_pairs_measures_the_vector_in_full(migrated: Any, lab: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"

    ran = migrated("--pairs", lab / "pairs.jsonl", "--report", report, "--tier", "smoke", "--json")

    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert found["measured"]
    assert found["maps"][0]["r2"] > 0.999
    assert (found["transfer"]["verdict"], round(found["transfer"]["value"], 1)) == ("pass", 1.0)
    assert found["transfer"]["cosine"] > 0.99
    vector = read_vector((tmp_path / "moved.safetensors").read_bytes())
    assert len(vector.doses) > 5
    stored = json.loads(report.read_text(encoding="utf-8"))
    assert stored["report"] == found["report"]
    assert stored["transfer"] == found["transfer"]


def test_migrate_of_plain_lines_needs_enough_of_them(migrated: Any, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"the river has {n} bridges\n" for n in range(9)))

    ran = migrated("--texts", lines)

    assert ran.exit_code == 1
    assert "evaluation.too_few_texts" in ran.stderr


def test_migrate_with_a_report_but_no_pairs_is_a_wrong_usage(migrated: Any, tmp_path: Path) -> None:
    ran = migrated("--report", tmp_path / "report.json")

    assert ran.exit_code == 2
    assert "--pairs" in ran.stderr
