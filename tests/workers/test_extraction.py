"""The extraction task on the demo model, and what is kept of its activations."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from registry.catalog.base_models import base_model_register
from registry.catalog.selectors import artifact_read, version_conformance
from registry.runs.models import Run
from registry.runs.selectors import run_statistics
from registry.runs.services import ExtractionRequest, extraction_start
from registry.runs.states import RunState
from registry.storage.services import blob_read
from steering_core.demo.paths import weights_path
from steering_core.errors import EvaluationError
from steering_core.extraction.derive import Recipe, derive
from steering_core.extraction.statistics import POLES, Labels, Reading, Statistics, write_statistics
from steering_core.formats.bearing import read_vector
from steering_core.formats.conformance import read_certificate
from steering_core.spec import ModelIdentity, site_key
from tests.factories import MODEL_HASH, make_demo_dataset, make_user
from tests.reports import make_report
from workers.tasks import extraction

READING = Reading(("resid_post",), (0, 1, 2, 3), ("response_mean", "next_turn"))
N_PAIRS, D_MODEL = 40, 16


LEAST = Reading(("resid_post",), (1, 2), ("next_turn",))
LEAST_BYTES = 2 * len(LEAST.blocks) * N_PAIRS * D_MODEL * 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of activations at four blocks and two poolings."""
    rng = np.random.default_rng(0)
    labels = Labels(
        np.arange(N_PAIRS),
        (np.arange(N_PAIRS) % 3).astype(np.uint8),
        rng.integers(0, 256, (N_PAIRS, 32), np.uint8),
    )
    model = ModelIdentity("bearing/demo", MODEL_HASH, "LlamaForCausalLM", 4, D_MODEL)
    file = tmp_path / "statistics.safetensors"
    with write_statistics(file, model, READING, labels) as writer:
        writer.put("norms", 0, np.ones((N_PAIRS, 4)))
        for pooling in READING.poolings:
            for place in READING.places:
                for pole in POLES:
                    rows = rng.normal(size=(N_PAIRS, D_MODEL))
                    writer.put(f"{pooling}/{site_key(*place)}/{pole}", 0, rows)
    return tmp_path


@pytest.fixture
def run(transactional_db: None) -> Iterator[Run]:
    owner = make_user()
    base_model_register(path=weights_path(), name="bearing/demo", scorer="demo")
    request = ExtractionRequest(
        dataset=str(make_demo_dataset(owner)),
        base_model="bearing/demo",
        vector="formality",
        method="whitened",
        site="mlp_out",
        tier="smoke",
    )
    yield extraction_start(actor=owner, request=request)[0]
    extraction.load.cache_clear()


def test_extract_keeps_statistics_that_give_the_same_direction_without_the_model(
    run: Run, tmp_path: Path
) -> None:
    extraction.extract(str(run.pk))

    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED, run.error_message
    vector = read_vector(artifact_read(version=run.vector_version))
    (key,) = vector.directions
    selection = run.vector_version.report["selection"]
    file = tmp_path / "statistics.safetensors"
    file.write_bytes(blob_read(sha256=run_statistics(run=run).sha256))
    place = (selection["pooling"], selection["site"], selection["block"])
    derived = derive(Statistics(file), Recipe(selection["method"]), *place)
    assert (selection["method"], key) == ("whitened", site_key("mlp_out", selection["block"]))
    assert derived.vector.astype(np.float32).tobytes() == vector.directions[key].tobytes()


def test_extract_certifies_the_vector_that_it_stores(run: Run) -> None:
    extraction.extract(str(run.pk))

    run.refresh_from_db()
    version = run.vector_version
    certificate = read_certificate(blob_read(sha256=version_conformance(version=version).sha256))
    vector = read_vector(artifact_read(version=version))
    assert version.conformance_missing == ""
    assert certificate.tensor_digest == vector.tensor_digest
    assert certificate.model_hash == vector.model.model_hash
    assert run.events.filter(stage="certify").exists()
    told = [event.data for event in run.events.exclude(data={})]
    assert [facts["kind"] for facts in told[:3]] == ["places", "effects", "place"]
    assert told[2]["block"] == version.report["selection"]["block"]
    assert len(told[0]["places"]) == len(version.report["selection"]["blocks"])
    assert {facts["name"] for facts in told[3:]} == set(version.report["sections"])


def test_extract_of_a_vector_that_cannot_be_certified_succeeds_and_says_why(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(lm: object, vector: object) -> None:
        raise EvaluationError("the effect is too small", code="conformance.too_small")

    monkeypatch.setattr(extraction, "certify", refuse)

    extraction.extract(str(run.pk))

    run.refresh_from_db()
    version = run.vector_version
    assert (run.state, version.conformance) == (RunState.SUCCEEDED, None)
    assert version.conformance_missing == "the effect is too small"
    assert run.events.filter(message="No certificate: the effect is too small").exists()


def test_made_up_report_has_the_shape_of_a_real_one(run: Run) -> None:
    extraction.extract(str(run.pk))

    run.refresh_from_db()
    real, made_up = run.vector_version.report, make_report()
    assert set(made_up) == set(real)
    for part in ("trait", "counts", "selection", "scale", "stability", "dose_response", "seeds", "software"):
        assert set(made_up[part]) == set(real[part]), part
    for part, many in (("selection", "blocks"), ("stability", "influential"), ("dose_response", "points")):
        assert set(made_up[part][many][0]) == set(real[part][many][0]), many


def test_kept_statistics_below_the_limit_are_the_whole_file(folder: Path) -> None:
    said: list[str] = []

    kept = extraction.kept_statistics(folder, LEAST, said.append)

    assert kept == (folder / "statistics.safetensors").read_bytes()
    assert said == []


def test_kept_statistics_above_the_limit_are_the_least_and_give_the_same_direction(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(extraction, "MAX_STATISTICS_BYTES", LEAST_BYTES)

    kept = extraction.kept_statistics(folder, LEAST, said.append)

    (folder / "copy.safetensors").write_bytes(kept)
    whole, part = (Statistics(folder / name) for name in ("statistics.safetensors", "copy.safetensors"))
    one, other = (derive(s, Recipe(), "next_turn", "resid_post", 2).vector for s in (whole, part))
    assert part.reading == LEAST
    assert one.tobytes() == other.tobytes()
    assert said == ["Of 0 MiB of activations those at the 2 tried blocks are kept"]


def test_kept_statistics_too_large_even_then_are_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(extraction, "MAX_STATISTICS_BYTES", LEAST_BYTES - 1)

    assert extraction.kept_statistics(folder, LEAST, said.append) == b""
    assert said == ["0 MiB of activations are too much to be kept"]


def test_extract_says_in_its_log_what_was_not_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "MAX_STATISTICS_BYTES", 10)

    extraction.extract(str(run.pk))

    run.refresh_from_db()
    assert (run.state, run.statistics) == (RunState.SUCCEEDED, None)
    assert run.events.filter(stage="statistics", message__contains="too much to be kept").exists()


@pytest.mark.parametrize(("effects", "blocks"), [({1: 0.5, 3: -0.1}, (1, 2, 3)), ({}, (2,))])
def test_tried_are_the_blocks_with_an_effect_and_the_chosen_one(
    effects: dict[int, float], blocks: tuple[int, ...]
) -> None:
    rows = [
        {"pooling": pooling, "block": block, "effect": effects.get(block)}
        for pooling in READING.poolings
        for block in READING.blocks
    ]
    selection = {"site": "mlp_out", "block": 2, "pooling": "next_turn", "blocks": rows}

    assert extraction.tried(selection) == Reading(("mlp_out",), blocks, ("next_turn",))


def test_scratch_removes_what_a_killed_attempt_at_the_same_run_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for left in ("bearing-run-a-killed", "bearing-run-b-working"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "statistics.safetensors.partial").write_bytes(b"half")

    with extraction.scratch("a") as folder:
        (folder / "file").write_bytes(b"whole")
        assert {path.name for path in tmp_path.iterdir()} == {folder.name, "bearing-run-b-working"}

    assert [path.name for path in tmp_path.iterdir()] == ["bearing-run-b-working"]
