"""Start the import of a vector that comes as a file: read strictly here, measured by a worker."""

from dataclasses import dataclass

from registry.accounts.models import User
from registry.catalog.drafts import Draft, ImportedFile, draft_place
from registry.catalog.models import BaseModelRevision
from registry.catalog.selectors import base_model_get
from registry.catalog.states import Origin
from registry.core.errors import InvalidError
from registry.core.naming import parse_dataset_reference
from registry.datasets.selectors import dataset_version_get
from registry.runs.models import Run
from registry.runs.services import RequestKey, run_of_key, run_queue, spec_errors
from registry.storage.services import blob_read
from registry.uploads.models import Upload
from registry.uploads.selectors import upload_blob
from registry.uploads.states import Purpose
from steering_core.errors import FormatError, ModelMismatchError
from steering_core.formats.importing import read_importable
from steering_core.spec import ExtractionSpec, ModelIdentity


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A file to make a version of.

    Attributes:
        upload: the id of a complete upload for a vector.
        base_model: whose activations the file's directions are; what it says itself must agree.
        dataset: pairs about its trait, to measure it with.
        vector: the name that the version goes under; made when it is new.
        direction: a site key such as `resid_post.3`; empty for a file with one direction.
    """

    upload: str
    base_model: str
    dataset: str
    vector: str
    direction: str = ""
    tier: str = "standard"


def import_start(*, actor: User, request: ImportRequest, idempotency_key: str = "") -> tuple[Run, bool]:
    """Queue an import and return its run, and whether it is new; run, key and quota as in `extraction_start`.

    Raises:
        InvalidError: the file is refused, or is for another model; a part of the request is not valid, or the
            key was used for another request.
        NotFoundError: the upload, the data set or the base model is unknown, or not the actor's to see.
        NotAllowedError: the vector is not the actor's to write.
        ConflictError: the upload is not complete.
        QuotaExceededError: too many runs of the actor wait.
    """
    key = RequestKey.of(idempotency_key, request)
    if run := run_of_key(actor, key):
        return run, False
    draft_place(actor=actor, name=request.vector)
    upload = upload_blob(viewer=actor, upload_id=request.upload, purpose=Purpose.VECTOR)
    owner, name, number = parse_dataset_reference(request.dataset)
    dataset_version = dataset_version_get(viewer=actor, owner=owner, name=name, number=number)
    base_model = base_model_get(reference=request.base_model)
    with spec_errors():
        spec = ExtractionSpec(
            dataset_digest=dataset_version.digest, model_hash=base_model.model_hash, tier=request.tier
        )
    imported = _read(upload, base_model, request.direction)
    draft = Draft(
        request.vector, base_model, dataset_version, spec, origin=Origin.IMPORTED, imported=imported
    )
    return run_queue(actor, Run.Kind.IMPORT, draft, key, {})


def _read(upload: Upload, base_model: BaseModelRevision, direction: str) -> ImportedFile:
    """What the worker will find in the file, which is refused here if it would be there."""
    assert upload.blob is not None  # a complete upload has one; a constraint holds it
    model = ModelIdentity(
        base_model.name,
        base_model.model_hash,
        base_model.architecture,
        base_model.n_layers,
        base_model.d_model,
    )
    try:
        found = read_importable(blob_read(sha256=upload.sha256), model, name=upload.filename, key=direction)
    except (FormatError, ModelMismatchError) as error:
        raise InvalidError(error.message, code=error.code) from error
    return ImportedFile(upload.blob, upload.filename, found.form, found.key)
