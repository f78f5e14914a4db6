"""A direction of another engine's file on the demo model: measured, shown as imported, never sold."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client

from registry.accounts.models import User
from registry.catalog import gating
from registry.catalog.base_models import base_model_register
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.releasing import version_publish
from registry.catalog.selectors import artifact_read, version_conformance
from registry.core.errors import InvalidError
from registry.runs.importing import ImportRequest, import_start
from registry.storage.services import blob_put, blob_read
from registry.uploads.services import Announcement, upload_open
from steering_core.demo.datasets import demo_pairs
from steering_core.demo.paths import weights_path
from steering_core.extraction.extract import encode_splits, extract
from steering_core.formats.bearing import read_vector
from steering_core.formats.conformance import read_certificate
from steering_core.formats.engines import ENGINES
from steering_core.formats.loose import LooseVector
from steering_core.models.load import load_model
from steering_core.pairs.splits import split_pairs
from tests.factories import make_text_dataset, make_user
from workers.tasks import importing

KEY = "resid_post.2"


@pytest.fixture
def owner(transactional_db: None) -> Iterator[User]:
    base_model_register(path=weights_path(), name="bearing/demo", scorer="demo")
    yield make_user()
    importing.load.cache_clear()


@pytest.fixture
def directions(tmp_path: Path) -> dict[str, Any]:
    """From formal to casual at one block, and noise at another."""
    lm, pairs = load_model(weights_path()), demo_pairs("formality", 48, seed=1)
    data = encode_splits(lm, pairs, split_pairs(pairs, "sha256:" + "00" * 32))
    read = extract(lm, pairs, data, tmp_path / "read.safetensors", blocks=(2,), pooling="response_mean")
    towards = read.rows("response_mean", "resid_post", 2).differences().mean(axis=0)
    noise = np.random.default_rng(0).normal(size=lm.identity.d_model)
    return {KEY: -towards.astype(np.float32), "resid_post.3": noise.astype(np.float32)}


def uploaded(owner: User, data: bytes, filename: str) -> str:
    """A complete upload, as if its parts had come."""
    sha256 = hashlib.sha256(data).hexdigest()
    upload = upload_open(actor=owner, file=Announcement(sha256, len(data), "vector", filename))
    blob = blob_put(data=data, media_type="application/octet-stream")
    type(upload).objects.filter(pk=upload.pk).update(state="complete", blob=blob)
    return str(upload.pk)


def test_file_of_llama_cpp_becomes_a_measured_version_that_says_imported(
    owner: User, directions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ENGINES["llama.cpp"].export(LooseVector(source="test", directions=directions, n_layers=4)).data
    request = ImportRequest(
        upload=uploaded(owner, file, "casual.gguf"),
        base_model="bearing/demo",
        dataset=str(make_text_dataset(owner)),
        vector="casual",
        direction=KEY,
        tier="smoke",
    )

    run, _ = import_start(actor=owner, request=request)
    importing.import_vector(str(run.pk))

    run.refresh_from_db()
    assert run.state == "succeeded", run.error_message
    version = VectorVersion.objects.get(pk=run.vector_version_id)
    check_vector(version, directions[KEY])
    check_report(version, file)
    Vector.objects.update(access="paid")
    with pytest.raises(InvalidError, match="never sold"):
        publish(owner)
    Vector.objects.update(access="open")
    released = publish(owner)
    check_shown(owner, released)
    monkeypatch.setattr(gating, "ENTITLEMENTS", [lambda *_: set()])
    with pytest.raises(InvalidError, match="cannot be sold"):
        gating.access_set(actor=owner, owner="acme", name="casual", access="paid")


def check_vector(version: VectorVersion, given: Any) -> None:
    """The direction bit for bit, with the scale and the sign that were measured, in the native form."""
    vector = read_vector(artifact_read(version=version))
    assert list(vector.directions) == [KEY]
    assert np.array_equal(vector.directions[KEY], given)
    assert vector.sign == "negative"
    assert vector.set_points[KEY][1] < vector.set_points[KEY][0]
    assert vector.provenance.method == version.manifest["provenance"]["method"] == "imported"
    assert vector.provenance.dataset_digest == ""
    assert vector.residual_norms[KEY] > 0
    assert vector.doses
    certificate = read_certificate(blob_read(sha256=version_conformance(version=version).sha256))
    assert certificate.tensor_digest == vector.tensor_digest


def check_report(version: VectorVersion, file: bytes) -> None:
    facts = version.report["sections"]["import"]
    assert facts == {
        "provenance": "imported: provenance unknown",
        "file": f"sha256:{hashlib.sha256(file).hexdigest()}",
        "filename": "casual.gguf",
        # What is written for llama.cpp carries the keys of GLP too.
        "form": "glp",
        "direction": KEY,
    }
    assert version.report["vector"]["place"] == KEY
    assert version.report["selection"]["method"] == "imported"


def publish(owner: User) -> VectorVersion:
    return version_publish(actor=owner, name="casual", version="1.0.0", license="MIT", visibility="private")


def check_shown(owner: User, version: VectorVersion) -> None:
    browser = Client()
    browser.force_login(owner)
    page = browser.get("/acme/casual").content.decode()
    assert "provenance unknown" in page
    assert "casual.gguf" in page
    assert "Importing acme/casual" in browser.get(f"/runs/{version.run.pk}").content.decode()
