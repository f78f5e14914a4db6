"""Imports of files: what is refused before a worker hears of it, and what a worker is told."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from registry.catalog.models import Vector, VectorVersion
from registry.core.errors import ConflictError, NotAllowedError, NotFoundError, RegistryError
from registry.runs.importing import ImportRequest, import_start
from registry.runs.leases import run_claim
from registry.runs.models import Run
from registry.storage.services import blob_put
from registry.uploads.models import Upload
from registry.uploads.services import Announcement, upload_open
from steering_core.formats.bearing import write_vector
from steering_core.formats.engines import ENGINES
from steering_core.formats.loose import LooseVector
from tests.factories import make_base_model, make_dataset_version, make_vector

pytestmark = pytest.mark.django_db
NATIVE = write_vector(make_vector())


def uploaded(owner: Any, data: bytes, filename: str = "tone.safetensors", state: str = "complete") -> Upload:
    sha256 = hashlib.sha256(data).hexdigest()
    upload = upload_open(actor=owner, file=Announcement(sha256, max(1, len(data)), "vector", filename))
    if state == "complete":
        blob = blob_put(data=data, media_type="application/octet-stream")
        Upload.objects.filter(pk=upload.pk).update(state=state, blob=blob)
    return upload


@pytest.fixture
def asked(owner: Any) -> Callable[..., ImportRequest]:
    """A request with a file; keywords change it."""
    dataset, model = make_dataset_version(owner), make_base_model()

    def build(data: bytes = NATIVE, filename: str = "tone.safetensors", **changes: str) -> ImportRequest:
        fields = {"base_model": model.model_hash, "dataset": str(dataset), "vector": "tone"}
        upload = changes.pop("upload", "") or str(uploaded(owner, data, filename).pk)
        return ImportRequest(upload=upload, **{**fields, **changes})

    return build


def loose(key: str = "resid_post.1", width: int = 8, **changes: Any) -> LooseVector:
    direction = np.arange(1, width + 1, dtype=np.float32)
    return LooseVector(**{"source": "test", "directions": {key: direction}, "n_layers": 4, **changes})


def gguf(*keys: str, width: int = 8) -> bytes:
    one = loose(width=width)
    directions = {key: one.directions["resid_post.1"] for key in keys or ("resid_post.1",)}
    return ENGINES["llama.cpp"].export(replace(one, directions=directions)).data


def test_import_makes_a_draft_that_says_so_and_a_claim_that_names_the_file(
    owner: Any, asked: Callable[..., ImportRequest]
) -> None:
    data = gguf("resid_post.1", "resid_post.2")
    request = asked(data, "tone.gguf", direction="resid_post.2")

    run, is_new = import_start(actor=owner, request=request, idempotency_key="k")
    again, is_another = import_start(actor=owner, request=request, idempotency_key="k")

    made = VectorVersion.objects.get(pk=run.vector_version_id)
    digest = hashlib.sha256(data).hexdigest()
    assert (run.kind, is_new, is_another, again) == (Run.Kind.IMPORT, True, False, run)
    assert (made.origin, made.imported_file_id, str(made.vector)) == ("imported", digest, "acme/tone")
    # What is written for llama.cpp carries the keys of GLP too.
    facts = {"filename": "tone.gguf", "form": "glp", "direction": "resid_post.2"}
    assert made.spec["imported"] == {"digest": f"sha256:{digest}", **facts}
    assert "method" not in made.spec
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    assert claim.imported is not None
    assert (claim.imported.file_sha256, claim.imported.direction) == (digest, "resid_post.2")
    assert claim.source is None


@pytest.mark.parametrize(
    ("data", "filename", "direction", "code"),
    [
        (gguf("resid_post.1", "resid_post.2"), "x.gguf", "", "import.several_directions"),
        (gguf(), "x.gguf", "resid_post.3", "import.no_direction"),
        (gguf(), "x.gguf", "layer 3", "format.site_key"),
        (gguf(width=16), "x.gguf", "", "model.mismatch"),
        (NATIVE[:-4], "x.safetensors", "", "format.truncated"),
        (b"PK\x03\x04" + b"\0" * 40, "x.pt", "", "engine.not_read"),
        (b"\x80\x04K.", "x.pkl", "", "engine.not_read"),
        (b"x" * 30, "x.txt", "", "engine.unknown"),
        (ENGINES["glp"].export(loose(operation="project")).data, "x.gguf", "", "import.operation"),
    ],
)
def test_file_that_cannot_be_imported_is_refused_before_a_run(
    owner: Any, asked: Callable[..., ImportRequest], data: bytes, filename: str, direction: str, code: str
) -> None:
    with pytest.raises(RegistryError) as caught:
        import_start(actor=owner, request=asked(data, filename, direction=direction))
    assert caught.value.code == code
    assert caught.value.http_status == 422
    assert not Vector.objects.exists()


def test_native_file_of_another_model_is_refused(owner: Any, asked: Callable[..., ImportRequest]) -> None:
    other = make_base_model("bearing/other", "sha256:" + "cd" * 32)
    with pytest.raises(RegistryError, match="is for bearing/demo") as caught:
        import_start(actor=owner, request=asked(base_model=other.model_hash))
    assert caught.value.code == "model.mismatch"


def test_import_takes_ones_own_complete_upload_and_a_vector_that_one_may_write(
    owner: Any, other: Any, asked: Callable[..., ImportRequest]
) -> None:
    pending = uploaded(owner, gguf(width=4), state="pending")
    with pytest.raises(ConflictError):
        import_start(actor=owner, request=asked(upload=str(pending.pk)))
    with pytest.raises(NotFoundError):
        import_start(actor=other, request=asked(vector="mallory/tone"))
    with pytest.raises(NotAllowedError):
        import_start(actor=other, request=asked(vector="acme/tone"))
