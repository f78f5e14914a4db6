"""Other vectors as controls of the wrong concept: read by the worker, found in the report."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from registry.catalog.base_models import base_model_register
from registry.catalog.models import BaseModelRevision
from registry.catalog.releasing import version_publish
from registry.runs.claims import ArtifactResult
from registry.runs.leases import run_claim, run_complete
from registry.runs.models import Run
from registry.runs.services import ExtractionRequest, extraction_start
from registry.storage.services import blob_put
from steering_core.demo.paths import weights_path
from steering_core.formats.bearing import MEDIA_TYPE, write_vector
from steering_core.spec import ModelIdentity
from steering_core.vector import SteeringVector
from tests.factories import make_demo_dataset, make_run, make_user, make_vector
from tests.reports import make_report
from workers.controls import read_controls
from workers.tasks import extraction


@pytest.fixture
def demo_model(transactional_db: None) -> Iterator[BaseModelRevision]:
    yield base_model_register(path=weights_path(), name="bearing/demo", scorer="demo")[0]
    extraction.load.cache_clear()


def vector_at_every_block(model: BaseModelRevision) -> SteeringVector:
    """Of no trait; it has a direction wherever a place may be chosen."""
    identity = ModelIdentity(model.name, model.model_hash, model.architecture, model.n_layers, model.d_model)
    keys, rng = [f"resid_post.{block}" for block in range(model.n_layers)], np.random.default_rng(0)
    return replace(
        make_vector(),
        model=identity,
        directions={key: rng.normal(size=model.d_model).astype(np.float32) for key in keys},
        residual_norms=dict.fromkeys(keys, 12.5),
    )


def publish(vector: SteeringVector) -> None:
    """Release a vector as somebody else's, the way a worker and a publisher would."""
    run = make_run(owner=make_user("lex"), vector="other", base_model=vector.model.model_hash)
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    result = ArtifactResult(write_vector(vector), make_report())
    run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result)
    version_publish(actor=run.owner, name="other", version="1.0.0", license="MIT", visibility="public")


def extracted(model: BaseModelRevision) -> Run:
    """A smoke extraction on the model, done in this process."""
    owner = make_user("acme")
    request = ExtractionRequest(
        dataset=str(make_demo_dataset(owner)), base_model=model.model_hash, vector="formality", tier="smoke"
    )
    run, _ = extraction_start(actor=owner, request=request)
    extraction.extract(str(run.pk))
    run.refresh_from_db()
    return run


def test_extract_tries_a_public_vector_of_another_data_set_as_a_control(
    demo_model: BaseModelRevision,
) -> None:
    control = vector_at_every_block(demo_model)
    publish(control)

    run = extracted(demo_model)

    assert run.state == "succeeded", run.error_message
    nulls = {null["kind"]: null for null in run.vector_version.report["sections"]["controls"]["nulls"]}
    assert nulls["wrong_concept"]["n"] == 1
    assert run.events.filter(stage="others", message__contains=control.tensor_digest[7:19]).exists()


@pytest.mark.django_db
def test_read_controls_leaves_out_what_cannot_be_read_or_is_for_another_model() -> None:
    vector, damaged = make_vector(), b"no vector"
    stored = [blob_put(data=data, media_type=MEDIA_TYPE).sha256 for data in (write_vector(vector), damaged)]
    asked = [*stored, "0" * 64]

    (found,) = read_controls(asked, vector.model.model_hash)

    assert found.tensor_digest == vector.tensor_digest
    assert read_controls(asked, "sha256:" + "00" * 32) == []
