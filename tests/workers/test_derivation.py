"""The derivation task on the demo model: a vector turned around, measured for what it is for."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from registry.catalog.base_models import base_model_register
from registry.catalog.models import BaseModelRevision, VectorVersion
from registry.catalog.releasing import version_publish
from registry.catalog.selectors import artifact_read
from registry.runs.claims import ArtifactResult
from registry.runs.deriving import DeriveRequest, ParentWish, derive_start
from registry.runs.leases import run_claim, run_complete
from registry.runs.services import ExtractionRequest, extraction_start
from registry.runs.states import RunState
from steering_core.demo.paths import weights_path
from steering_core.formats.bearing import read_vector, write_vector
from steering_core.pairs.pair import ContrastivePair
from steering_core.spec import ModelIdentity
from tests.factories import make_text_dataset, make_user, make_vector
from tests.reports import make_report
from workers.tasks import derivation

KEY = "resid_post.1"


@pytest.fixture
def base_model(transactional_db: None) -> Iterator[BaseModelRevision]:
    yield base_model_register(path=weights_path(), name="bearing/demo", scorer="demo")[0]
    derivation.load.cache_clear()


@pytest.fixture
def source(base_model: BaseModelRevision) -> VectorVersion:
    """A released random direction on the demo model, brought there the way a worker would."""
    owner = make_user()
    request = ExtractionRequest(str(make_text_dataset(owner)), base_model.model_hash, "formality")
    run, _ = extraction_start(actor=owner, request=request)
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    vector = replace(
        make_vector(),
        model=ModelIdentity("bearing/demo", base_model.model_hash, "LlamaForCausalLM", 4, 128),
        directions={KEY: np.random.default_rng(0).normal(size=128).astype(np.float32)},
        residual_norms={KEY: 12.5},
        sign="positive",
        provenance=replace(make_vector().provenance, pooling="prompt_last"),
    )
    result = ArtifactResult(write_vector(vector), make_report())
    run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result)
    return version_publish(actor=owner, name="formality", version="1.0.0", license="MIT", visibility="")


def test_turned_vector_is_measured_anew(source: VectorVersion) -> None:
    wish = ParentWish("acme/formality@1.0.0", -2.0)
    request = DeriveRequest("acme/casual", (wish,), tier="smoke")
    run, _ = derive_start(actor=source.run.owner, request=request)

    derivation.derive(str(run.pk))

    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED, run.error_message
    made, parent = (read_vector(artifact_read(version=row)) for row in (run.vector_version, source))
    np.testing.assert_allclose(made.directions[KEY], -2.0 * parent.directions[KEY], rtol=1e-6)
    assert made.sign == "negative"
    report = run.vector_version.report
    assert report["sections"]["derivation"] == {"parents": [{"digest": source.digest, "weight": -2.0}]}
    assert report["vector"]["tensor_digest"] == made.tensor_digest
    assert report["report_version"] == 2


def test_pairs_face_where_the_vector_points() -> None:
    pairs = [ContrastivePair("formal", "casual", "q")]
    vector = replace(make_vector(), sign="positive")
    assert derivation.facing(vector, pairs) == pairs
    assert derivation.facing(-vector, pairs) == [ContrastivePair("casual", "formal", "q")]
    assert derivation.facing(replace(vector, sign="unknown"), pairs) == pairs
