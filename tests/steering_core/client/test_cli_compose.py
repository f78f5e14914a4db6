"""`bearing compose` on a small random model, from files of vectors and pairs to a file that is read back."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from steering_core.evaluation.composition.record import read_composition
from steering_core.formats.bearing import write_vector
from steering_core.spec import digest
from tests.steering_core.client.small_pairs import write_pairs


@pytest.fixture
def vectors(make_vector: Any, tiny_lm: Any, tmp_path: Path) -> list[Any]:
    """Two vectors of the tiny llama with the files of their pairs, as arguments; their windows are ±0.5."""
    arguments: list[Any] = []
    for seed in (0, 1):
        file = tmp_path / f"kind{seed}.safetensors"
        file.write_bytes(write_vector(make_vector(seed=seed, **asdict(tiny_lm().identity))))
        arguments += [file, "--pairs", write_pairs(tmp_path, seed=seed)]
    return arguments


@pytest.fixture
def composed(bearing: Any, model_folder: Any, vectors: list[Any], tmp_path: Path) -> Any:
    """(options) -> what the command ended with."""

    def run(*options: object, output: str = "mix.json") -> Any:
        return bearing("compose", *vectors, "--model", model_folder(), "-o", tmp_path / output, *options)

    return run


def test_compose_writes_what_it_says_and_reads_it_back(composed: Any, tmp_path: Path) -> None:
    done = composed("--json", "--want", "kind0=0.01")

    assert done.exit_code == 0, done.output
    told, data = json.loads(done.stdout), (tmp_path / "mix.json").read_bytes()
    found = read_composition(data)
    assert told["digest"] == digest(data)
    assert told["effects"] == found.to_json()["effects"]
    assert found.names == ("kind0", "kind1")
    assert found.solution is not None
    assert found.solution.wanted == {"kind0": 0.01}
    assert all(point.nats is not None for point in found.curves[0].points)


def test_compose_shows_matrix_curve_and_strengths(composed: Any) -> None:
    done = composed("--want", "kind0=9", "--strength", "0.2")

    assert done.exit_code == 0, done.output
    for told in ("kind0 at ±0.2", "coherence", "Carried at once:", "predicted", "Missing: kind0"):
        assert told in done.stdout


def test_compose_the_same_again_is_the_same_file_but_for_its_cost(composed: Any, tmp_path: Path) -> None:
    composed()
    composed(output="again.json")

    first, second = (
        json.loads((tmp_path / name).read_text()) | {"cost": None} for name in ("mix.json", "again.json")
    )
    assert first == second


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--want", "nobody=1"), "expected a finite number for one of kind0, kind1"),
        (("--want", "kind0"), "NAME=CHANGE"),
        (("--pairs", "one.jsonl"), "3 times --pairs"),
    ],
)
def test_compose_usage_that_cannot_be_meant_is_refused(composed: Any, options: Any, said: str) -> None:
    done = composed(*options)

    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_compose_strength_outside_a_window_is_refused(composed: Any) -> None:
    done = composed("--strength", "0.6", "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["code"] == "evaluation.members"


def test_compose_file_that_is_there_is_not_written_over(composed: Any, tmp_path: Path) -> None:
    (tmp_path / "mix.json").write_text("mine")

    done = composed()

    assert done.exit_code == 1
    assert (tmp_path / "mix.json").read_text() == "mine"
