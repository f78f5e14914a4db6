"""The main job through the public interfaces: pages, command line and REST of a running service."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from registry.embedded.stack import Stack
from steering_core.client import Hub
from steering_core.demo import demo_scorer, neutral_prompts
from steering_core.demo.examples import example_bytes
from steering_core.demo.paths import weights_path
from steering_core.extraction.derive import Recipe, derive
from steering_core.extraction.statistics import Statistics
from steering_core.formats.conformance import read_certificate
from steering_core.spec import digest
from tests.flows.account import Account, sign_up_on

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def sign_up(live_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Account]]:
    """Makes accounts, each with a command line of its own."""
    with contextlib.ExitStack() as accounts:
        yield lambda: accounts.enter_context(sign_up_on(live_stack.url, tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def publisher(sign_up: Callable[[], Account]) -> Account:
    return sign_up()


@pytest.fixture(scope="session")
def published(publisher: Account, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A vector brought all the way on the command line; the answer of `bearing show`."""
    pairs = tmp_path_factory.mktemp("pairs") / "formality.jsonl"
    pairs.write_bytes(example_bytes("formality"))
    publisher.bearing("dataset", "push", str(pairs), "--name", "formality-pairs", "--public")
    dataset = f"{publisher.name}/formality-pairs@1"
    publisher.bearing(
        "extract", dataset, "--model", "bearing/demo", "--vector", "formality", "--tier", "smoke"
    )
    name = f"{publisher.name}/formality"
    publisher.bearing("publish", name, "--version", "1.0.0", "--license", "CC-BY-4.0")
    return publisher.bearing("show", f"{name}@1.0.0")


def test_a_published_vector_has_an_effect_and_fails_no_gate(published: dict[str, Any]) -> None:
    """The full report of the standard tier is read in tests/embedded/test_demo.py."""
    assert published["report"]["tier"] == "smoke"
    assert "fail" not in {gate["verdict"] for gate in published["report"]["gates"]}
    assert published["report"]["dose_response"]["effect"]["value"] > 0


def test_a_published_vector_is_downloaded_with_a_token_and_read_by_safetensors(
    publisher: Account, published: dict[str, Any], tmp_path: Path
) -> None:
    answer = publisher.get(f"/vectors/{publisher.name}/formality/versions/1.0.0/download")

    file = tmp_path / "vector.safetensors"
    file.write_bytes(answer.content)
    with safe_open(file, framework="numpy") as tensors:
        (name,) = tensors.keys()
        direction = tensors.get_tensor(name)
    assert answer.status_code == 200
    assert (direction.dtype, direction.shape) == (np.float32, (128,))


def test_the_statistics_of_a_run_give_the_published_direction_without_the_model(
    publisher: Account, published: dict[str, Any], tmp_path: Path
) -> None:
    name, file, selection = f"{publisher.name}/formality", tmp_path / "s", published["report"]["selection"]
    run = next(run for run in publisher.get("/runs").json()["items"] if run["vector"] == name)
    publisher.bearing("run", "statistics", run["id"], "--output", str(file))
    publisher.bearing("pull", f"{name}@1.0.0", "--output", str(tmp_path / "vector"))

    place = (selection["pooling"], selection["site"], selection["block"])
    derived = derive(Statistics(file), Recipe(selection["method"]), *place).vector

    (direction,) = load_file(tmp_path / "vector").values()
    assert derived.astype(np.float32).tobytes() == direction.tobytes()


def test_a_pulled_vector_with_a_flipped_byte_in_the_cache_is_fetched_anew_and_alone_refused(
    publisher: Account, published: dict[str, Any], tmp_path: Path
) -> None:
    pulled = publisher.bearing("pull", f"{publisher.name}/formality@1.0.0")
    copy = tmp_path / "copy.safetensors"
    data = bytearray(Path(pulled["path"]).read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)

    publisher.bearing("verify", str(copy), "--digest", pulled["digest"], status=5)

    assert publisher.bearing("verify", pulled["path"], "--digest", pulled["digest"])


def test_the_certificate_of_a_published_vector_comes_through_rest_and_the_hub(
    publisher: Account, published: dict[str, Any]
) -> None:
    name = f"{publisher.name}/formality"

    answer = publisher.get(f"/vectors/{name}/versions/1.0.0/conformance")
    with Hub(publisher.url, publisher.token, publisher.home) as hub:
        data, vector = hub.conformance(f"{name}@1.0.0"), hub.pull(f"{name}@1.0.0")

    assert data == answer.content
    assert published["conformance"]["digest"] == answer.headers["X-Bearing-Digest"] == digest(data)
    assert read_certificate(data).tensor_digest == vector.tensor_digest


def test_an_engine_is_verified_against_the_certificate_of_the_registry(
    publisher: Account, published: dict[str, Any]
) -> None:
    found = publisher.bearing(
        *("verify", f"{publisher.name}/formality@1.0.0", "--engine", "transformers"),
        *("--model", str(weights_path())),
    )

    assert found["conforms"], found["sentence"]


def test_a_published_vector_changes_what_the_model_says(
    publisher: Account, published: dict[str, Any]
) -> None:
    prompts = neutral_prompts(6, seed=3)

    answer = publisher.bearing(
        *("try", f"{publisher.name}/formality@1.0.0", "--model", str(weights_path())),
        *("--strength", "0.3", "--strength", "-0.3"),
        *(word for prompt in prompts for word in ("--prompt", prompt)),
    )

    score = demo_scorer("formality").score
    up, down = (
        [score(s["prompt"], s["after"]) for s in answer["samples"] if s["strength"] == strength]
        for strength in (0.3, -0.3)
    )
    assert len(up) == len(down) == 6
    assert np.mean(up) - np.mean(down) > 0.5


def test_a_private_dataset_and_draft_are_not_there_for_anybody_else(
    publisher: Account, sign_up: Callable[[], Account], tmp_path: Path
) -> None:
    pairs = tmp_path / "confidence.jsonl"
    pairs.write_bytes(example_bytes("confidence"))
    publisher.bearing("dataset", "push", str(pairs), "--name", "secret-pairs")
    dataset = f"{publisher.name}/secret-pairs@1"
    run = publisher.bearing(
        "extract", dataset, "--model", "bearing/demo", "--vector", "secret", "--tier", "smoke"
    )
    stranger = sign_up()

    paths = [
        f"/datasets/{publisher.name}/secret-pairs",
        f"/datasets/{publisher.name}/secret-pairs/versions/1/download",
        f"/vectors/{publisher.name}/secret",
        f"/runs/{_run_id(run)}",
    ]
    assert [publisher.get(path).status_code for path in paths] == [200] * 4
    assert [stranger.get(path).status_code for path in paths] == [404] * 4
    assert stranger.browser.get(f"/{publisher.name}/secret").status_code == 404
    assert stranger.browser.get(f"/datasets/{publisher.name}/secret-pairs").status_code == 404


@pytest.mark.parametrize("form", ["caa", "two_files"])
def test_pairs_in_a_foreign_language_are_taken_and_extracted_and_judged(
    form: str, publisher: Account, tmp_path: Path
) -> None:
    name = form.replace("_", "-")
    files = [str(path) for path in FOREIGN[form](tmp_path)]

    pushed = publisher.bearing("dataset", "push", *files, "--name", name)
    publisher.bearing(
        *("extract", f"{publisher.name}/{name}@1", "--model", "bearing/demo", "--vector", name),
        *("--tier", "smoke", "--publish", "0.1.0", "--license", "CC0-1.0"),
    )
    shown = publisher.bearing("show", f"{publisher.name}/{name}@0.1.0")

    assert form in json.dumps(pushed)
    assert shown["verdict"] in {"fail", "warn", "insufficient"}


def caa_file(folder: Path) -> list[Path]:
    """Contrastive questions in the form of CAA: two choices, and which of them shows the trait."""
    rows = [
        {
            "question": f"A customer asks about {i}.\n\nChoices:\n(A) Help at once.\n(B) Wait {i} days.",
            "answer_matching_behavior": "(A)" if i % 2 else "(B)",
            "answer_not_matching_behavior": "(B)" if i % 2 else "(A)",
        }
        for i in range(30)
    ]
    path = folder / "helpful_generate.json"
    path.write_text(json.dumps(rows, indent=4))
    return [path]


def two_text_files(folder: Path) -> list[Path]:
    """Short and long requests, zipped by line."""
    topics = [
        "binary search",
        "an index",
        "TCP",
        "hashing",
        "a queue",
        "recursion",
        "caching",
        "a mutex",
        "DNS",
        "TLS",
    ]
    short, long = folder / "succinct.txt", folder / "verbose.txt"
    short.write_text(
        "".join(f"In one sentence, what is {topic}? ({i})\n" for i in (1, 2) for topic in topics)
    )
    long.write_text(
        "".join(f"Explain {topic} in depth, with three examples ({i}).\n" for i in (1, 2) for topic in topics)
    )
    return [short, long]


FOREIGN: dict[str, Callable[[Path], list[Path]]] = {"caa": caa_file, "two_files": two_text_files}


def _run_id(answer: dict[str, Any]) -> str:
    return str(answer["run"]["id"] if "run" in answer else answer["id"])
