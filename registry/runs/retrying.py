"""Start again what ended without a result: a new run that asks for the same. What somebody may start is asked
anew, since rights, names and quotas may have changed since.
"""

from registry.accounts.models import User
from registry.catalog.drafts import Draft, ImportedFile
from registry.catalog.models import VectorVersion
from registry.catalog.states import Origin
from registry.core.errors import ConflictError
from registry.datasets.selectors import dataset_version_get
from registry.runs.composing import MeasureRequest, measurement_start
from registry.runs.deriving import DeriveRequest, ParentWish, derive_start
from registry.runs.models import Run
from registry.runs.selectors import run_get
from registry.runs.services import (
    ExtractionRequest,
    MigrationRequest,
    RequestKey,
    extraction_start,
    migration_start,
    run_queue,
)
from registry.runs.states import TERMINAL, RunState


def run_retry(*, actor: User, run_id: str) -> tuple[Run, bool]:
    """A new run that asks for the same, and whether it is new: asked twice, the first one is given again.

    Raises:
        NotFoundError: there is no such run of the actor's.
        ConflictError: it has not ended, or it succeeded.
        RegistryError: whatever the service that started it raises now.
    """
    run = run_get(viewer=actor, run_id=run_id)
    if run.state not in TERMINAL:
        raise ConflictError(
            "this run has not ended; cancel it before you start it again", code="run.not_ended"
        )
    if run.state == RunState.SUCCEEDED:
        raise ConflictError("this run succeeded; its result is there already", code="run.succeeded")
    key = f"retry:{run.pk}"
    if made := Run.objects.filter(owner=actor, idempotency_key=key).first():
        return made, False
    if run.preset_version is not None:
        return _measure(actor, run, key)
    assert run.vector_version is not None  # a constraint of the table
    return _STARTS[Run.Kind(run.kind)](actor, run, run.vector_version, key)


def _extract(actor: User, run: Run, version: VectorVersion, key: str) -> tuple[Run, bool]:
    spec, wish = version.extraction_spec, run.publish_as
    request = ExtractionRequest(
        dataset=str(version.dataset_version),
        base_model=version.base_model.model_hash,
        vector=str(version.vector),
        method=spec.method,
        site=spec.site,
        pooling=spec.pooling,
        tier=spec.tier,
        publish_version=wish.get("version", ""),
        license=wish.get("license", ""),
        visibility=wish.get("visibility", ""),
    )
    return extraction_start(actor=actor, request=request, idempotency_key=key)


def _migrate(actor: User, run: Run, version: VectorVersion, key: str) -> tuple[Run, bool]:
    request = MigrationRequest(
        source=str(version.migrated_from_id),
        base_model=version.base_model.model_hash,
        vector=str(version.vector),
        tier=version.extraction_spec.tier,
    )
    return migration_start(actor=actor, request=request, idempotency_key=key)


def _derive(actor: User, run: Run, version: VectorVersion, key: str) -> tuple[Run, bool]:
    links = version.parent_links.select_related("parent__vector__owner")
    request = DeriveRequest(
        vector=str(version.vector),
        parents=tuple(ParentWish(str(link.parent), link.weight) for link in links),
        dataset=str(version.dataset_version),
        tier=version.extraction_spec.tier,
    )
    return derive_start(actor=actor, request=request, idempotency_key=key)


def _import(actor: User, run: Run, version: VectorVersion, key: str) -> tuple[Run, bool]:
    """The upload may be forgotten by now, its file is not."""
    blob, asked = version.imported_file, version.spec["imported"]
    assert blob is not None  # an imported version has one
    pairs = version.dataset_version
    found = dataset_version_get(
        viewer=actor, owner=pairs.dataset.owner.slug, name=pairs.dataset.name, number=pairs.number
    )
    draft = Draft(
        str(version.vector),
        version.base_model,
        found,
        version.extraction_spec,
        origin=Origin.IMPORTED,
        imported=ImportedFile(blob, asked["filename"], asked["form"], asked["direction"]),
    )
    return run_queue(actor, Run.Kind.IMPORT, draft, RequestKey(key, run.request_digest), {})


def _measure(actor: User, run: Run, key: str) -> tuple[Run, bool]:
    request = MeasureRequest(
        owner=run.subject.owner.slug,
        name=run.subject.name,
        reference=str(run.preset_version_id),
        wanted=dict(run.measure.get("wanted", {})),
        tier=str(run.measure.get("tier", "standard")),
    )
    return measurement_start(actor=actor, request=request, idempotency_key=key)


_STARTS = {
    Run.Kind.EXTRACT: _extract,
    Run.Kind.MIGRATE: _migrate,
    Run.Kind.DERIVE: _derive,
    Run.Kind.IMPORT: _import,
}
