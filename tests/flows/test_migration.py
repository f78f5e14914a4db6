"""A vector moved to another base model by a real worker, and what it takes to publish it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from django.test import Client

from registry.catalog.base_models import base_model_register
from registry.catalog.models import BaseModelRevision, VectorVersion
from registry.catalog.releasing import version_publish
from registry.catalog.selectors import artifact_read, version_conformance
from registry.core.errors import InvalidError
from registry.runs.claims import ArtifactResult
from registry.runs.leases import run_claim, run_complete
from registry.runs.models import Run
from registry.runs.services import (
    ExtractionRequest,
    MigrationRequest,
    extraction_start,
    migration_start,
)
from registry.storage.services import blob_read
from steering_core.demo.paths import weights_path
from steering_core.demo.suite import demo_suite
from steering_core.evaluation.suite import write_suite
from steering_core.formats.bearing import read_vector, write_vector
from steering_core.formats.conformance import read_certificate
from steering_core.models.load import load_model
from steering_core.spec import ModelIdentity
from tests.factories import make_demo_dataset, make_user, make_vector
from tests.reports import make_report
from tests.steering_core.evaluation.turned_models import random_rotation, turned

if TYPE_CHECKING:
    from tests.flows.conftest import Processes

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

ROTATION = random_rotation(128, seed=3)


@pytest.fixture
def turned_model(transactional_db: None, tmp_path: Path) -> BaseModelRevision:
    """The demo model in another basis, as a folder of its own, with the demo texts brought as a file."""
    folder = tmp_path / "turned"
    shutil.copytree(weights_path(), folder)
    lm = turned(load_model(weights_path()), ROTATION, "turned")
    lm.model.config.tie_word_embeddings = False
    lm.model.save_pretrained(folder)
    return base_model_register(path=folder, name="bearing/turned", suite=write_suite(demo_suite()))[0]


@pytest.fixture
def source(demo_model: BaseModelRevision) -> VectorVersion:
    """A draft of a random direction on the demo model, brought there the way a worker would."""
    owner = make_user()
    request = ExtractionRequest(str(make_demo_dataset(owner)), demo_model.model_hash, "formality")
    run, _ = extraction_start(actor=owner, request=request)
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    vector = replace(
        make_vector(),
        model=ModelIdentity("bearing/demo", demo_model.model_hash, "LlamaForCausalLM", 4, 128),
        directions={"resid_post.1": np.random.default_rng(0).normal(size=128).astype(np.float32)},
        residual_norms={"resid_post.1": 12.5},
    )
    result = ArtifactResult(write_vector(vector), make_report())
    run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result)
    run.vector_version.refresh_from_db()
    return run.vector_version


def test_a_vector_is_moved_to_another_model_and_measured_there_before_it_can_be_published(
    processes: "Processes",
    source: VectorVersion,
    turned_model: BaseModelRevision,
    wait_for: Callable[[Callable[[], bool], float], None],
) -> None:
    processes.start_worker(concurrency=1)
    request = MigrationRequest(str(source.pk), turned_model.model_hash, "formality-turned", "smoke")

    run, _ = migration_start(actor=source.run.owner, request=request)

    wait_for(lambda: ended(run), 80)
    assert run.state == "succeeded", run.error_message
    check_direction(run, source)
    check_measured_there(run, turned_model)
    check_page(run)
    with pytest.raises(InvalidError, match="not screened for safety"):
        publish(run, "public")
    assert publish(run, "private").migrated_from == source


def ended(run: Run) -> bool:
    run.refresh_from_db()
    return run.state not in ("queued", "running")


def publish(run: Run, visibility: str) -> Any:
    return version_publish(
        actor=run.owner, name="formality-turned", version="1.0.0", license="MIT", visibility=visibility
    )


def check_direction(run: Run, source: VectorVersion) -> None:
    """The rotation between the two models is known, so the moved direction is."""
    run.vector_version.refresh_from_db()
    before, after = (read_vector(artifact_read(version=row)) for row in (source, run.vector_version))
    (given,), (moved,) = before.directions.values(), after.directions.values()
    expected = given @ ROTATION.numpy()
    cosine = moved @ expected / np.linalg.norm(moved) / np.linalg.norm(expected)
    assert cosine > 0.99
    assert after.provenance.method == "migrated"


def check_measured_there(run: Run, model: BaseModelRevision) -> None:
    """File, certificate and report are of the target, measured with the texts that were brought for it."""
    version = run.vector_version
    certificate = read_certificate(blob_read(sha256=version_conformance(version=version).sha256))
    report = version.report
    assert certificate.model_hash == report["vector"]["model_hash"] == model.model_hash
    assert report["vector"]["tensor_digest"] == certificate.tensor_digest
    assert report["suite"] == {"name": "demo", "digest": model.suite_digest}
    assert report["sections"]["migration"]["source"] == version.migrated_from.digest
    assert report["sections"]["migration"]["maps"][0]["r2"] > 0.99


def check_page(run: Run) -> None:
    browser = Client()
    browser.force_login(run.owner)
    page = browser.get("/acme/formality-turned").content.decode()
    assert "Moved from" in page
    assert "bearing/turned" in page
