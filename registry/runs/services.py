"""Start and cancel runs, on behalf of a user. What workers call is in `leases`, the sweeper's part in
`sweeping`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from registry.accounts.access import check_files, visible_to
from registry.accounts.models import User
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.catalog.drafts import Draft, version_draft, version_fail
from registry.catalog.models import BaseModelRevision, VectorVersion
from registry.catalog.releasing import check_publish_request
from registry.catalog.selectors import base_model_get, version_find
from registry.catalog.states import Origin
from registry.core.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    QuotaExceededError,
)
from registry.core.naming import parse_dataset_reference, row_id
from registry.datasets.models import Dataset
from registry.datasets.selectors import dataset_version_get
from registry.runs.dispatch import ring_on_commit
from registry.runs.models import Run, RunEvent
from registry.runs.selectors import run_visible_to
from registry.runs.states import ACTIVE, TERMINAL, ErrorClass, RunState
from steering_core.errors import ExtractionError
from steering_core.spec import ExtractionSpec, canonical_json, digest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExtractionRequest:
    """What a user asks for. The version, licence and visibility are for publishing at once; empty means
    later.
    """

    dataset: str
    base_model: str
    vector: str
    method: str = "mean_difference"
    site: str = "resid_post"
    pooling: str = "auto"
    tier: str = "standard"
    publish_version: str = ""
    license: str = ""
    visibility: str = ""


@dataclass(frozen=True, slots=True)
class MigrationRequest:
    """A version to move to another base model, where it is measured anew with the pairs that it was made of.

    Attributes:
        source: `owner/name`, `owner/name@` and a reference, or the row id of a version.
    """

    source: str
    base_model: str
    vector: str
    tier: str = "standard"


def extraction_start(
    *, actor: User, request: ExtractionRequest, idempotency_key: str = ""
) -> tuple[Run, bool]:
    """Queue an extraction and return its run, and whether it is new.

    The same `idempotency_key` with the same request gives the same run, however often and from however
    many clients.

    Raises:
        InvalidError: a part of the request is not valid, or the key was used for another request.
        NotFoundError: the dataset or the base model is unknown, or not the actor's to see.
        ConflictError: the version to publish as is taken.
        QuotaExceededError: too many runs of the actor wait.
    """
    key = RequestKey.of(idempotency_key, request)
    if run := run_of_key(actor, key):
        return run, False
    owner_name, name, number = parse_dataset_reference(request.dataset)
    dataset_version = dataset_version_get(viewer=actor, owner=owner_name, name=name, number=number)
    base_model = base_model_get(reference=request.base_model)
    publish_as = _publish_wish(actor, request)
    with spec_errors():
        spec = ExtractionSpec(
            dataset_digest=dataset_version.digest,
            model_hash=base_model.model_hash,
            method=request.method,
            site=request.site,
            pooling=request.pooling,
            tier=request.tier,
        )
    draft = Draft(request.vector, base_model, dataset_version, spec)
    return run_queue(actor, Run.Kind.EXTRACT, draft, key, publish_as)


def migration_start(*, actor: User, request: MigrationRequest, idempotency_key: str = "") -> tuple[Run, bool]:
    """Queue the move of a version to another base model; run, key and quota as in `extraction_start`.

    Raises:
        InvalidError: a part of the request is not valid, it is the base model that the version is for, or the
            key was used for another request.
        NotFoundError: the source or the base model is unknown, or not the actor's to see; the source has no
            file.
        NotAllowedError: the source's pairs are not the actor's to see.
        QuotaExceededError: too many runs of the actor wait.
    """
    key = RequestKey.of(idempotency_key, request)
    if run := run_of_key(actor, key):
        return run, False
    source = version_find(viewer=actor, reference=request.source)
    base_model = base_model_get(reference=request.base_model)
    _check_source(actor, source, base_model)
    with spec_errors():
        spec = replace(source.extraction_spec, model_hash=base_model.model_hash, tier=request.tier)
    draft = Draft(
        request.vector, base_model, source.dataset_version, spec, migrated_from=source, origin=Origin.MIGRATED
    )
    return run_queue(actor, Run.Kind.MIGRATE, draft, key, {})


def run_cancel(*, actor: User, run_id: str) -> Run:
    """Cancel a run: at once when it waits, at its next step when it runs. Cancelling twice is no error.

    Raises:
        NotFoundError: there is no such run that the actor may cancel.
        ConflictError: it has ended already.
    """
    with transaction.atomic():
        run = (
            Run.objects.select_for_update(of=("self",))
            .select_related("vector_version__vector__owner", "preset_version__preset__owner")
            .filter(run_visible_to(actor, Role.WRITER), pk=row_id(run_id))
            .first()
        )
        if run is None:
            raise NotFoundError("there is no such run of yours", code="run.not_found")
        if run.state in TERMINAL and run.state != RunState.CANCELLED:
            raise ConflictError(f"this run has {run.state} and cannot be cancelled", code="run.ended")
        if run.state == RunState.QUEUED:
            run_end(
                run, RunState.CANCELLED, ErrorClass.CANCELLED, "run.cancelled", "Cancelled before it started"
            )
        elif run.state == RunState.RUNNING and not run.cancel_requested:
            run.cancel_requested = True
            run.save(update_fields=["cancel_requested"])
            event_add(run, run.stage, "Cancel requested")
    return run


def run_end(run: Run, state: RunState, error_class: ErrorClass, code: str, message: str) -> None:
    """End a run without a result, and its draft with it. The caller holds the row's lock.

    The token moves on, so that a worker that still believes in its lease can write no more.
    """
    run.state = state
    run.error_class = error_class
    run.error_code = code
    run.error_message = message
    run.lease_until = None
    run.lease_token += 1
    run.finished_at = Now()
    run.save()
    run.refresh_from_db(fields=["finished_at"])
    # A preset's draft is what it was before; only the measurement is missing.
    if run.vector_version is not None:
        version_fail(version=run.vector_version)
    event_add(run, state, message)
    run_record(f"run.{state}", run, None, code=code)
    logger.info("run ended", extra={"run_id": run.pk, "state": state, "error_code": code})


def event_add(run: Run, stage: str, message: str, data: dict[str, Any] | None = None) -> None:
    """Append a line to a run's log; `data` is what was measured on the way, checked by `facts`."""
    RunEvent.objects.create(
        run=run,
        attempt=run.attempt,
        stage=stage[:40],
        progress=run.progress,
        message=message[:500],
        data=data or {},
    )


def run_record(action: str, run: Run, actor: User | None, **data: Any) -> None:
    """Put a run's change into the log of the namespace that its vector or preset belongs to."""
    row = run.subject
    about: dict[str, Any] = {"preset" if run.vector_version_id is None else "vector": str(row)}
    record(action, subject=run.pk, namespace=row.owner, actor=actor, kind=run.kind, **about, **data)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """An Idempotency-Key, empty for none, and the digest of the request that it was sent with."""

    text: str
    request_digest: str

    @classmethod
    def of(cls, text: str, request: Any) -> "RequestKey":
        """The key of a request, which is a dataclass.

        Raises:
            InvalidError: it is too long.
        """
        if len(text) > 200:
            raise InvalidError(
                "an Idempotency-Key has at most 200 characters", code="idempotency.key_invalid"
            )
        return cls(text, digest(canonical_json(asdict(request))))


def run_queue(
    actor: User, kind: Run.Kind, draft: Draft, key: RequestKey, publish_as: dict[str, str]
) -> tuple[Run, bool]:
    """Make the draft and its run; of two requests with one key at once, both get one run.

    Raises:
        QuotaExceededError: too many runs of the actor wait.
    """
    try:
        with transaction.atomic():
            check_quota(actor)
            run = run_make(
                actor,
                key,
                kind=kind,
                vector_version=version_draft(actor=actor, draft=draft),
                publish_as=publish_as,
            )
    except IntegrityError:
        # Two requests with one key at once: the other one won, and its run is the answer.
        if made := run_of_key(actor, key):
            return made, False
        raise
    return run, True


def run_make(actor: User, key: RequestKey, **fields: Any) -> Run:
    """A queued run, logged, whose ring waits for the caller's transaction."""
    run = Run.objects.create(
        owner=actor, idempotency_key=key.text or None, request_digest=key.request_digest, **fields
    )
    event_add(run, "queued", "Waiting for a worker")
    run_record("run.queued", run, actor)
    ring_on_commit(run)
    logger.info("run queued", extra={"run_id": run.pk, "kind": run.kind})
    return run


def run_of_key(actor: User, key: RequestKey) -> Run | None:
    """The run that a key was used for before.

    Raises:
        InvalidError: it was used for another request.
    """
    run = Run.objects.filter(owner=actor, idempotency_key=key.text).first() if key.text else None
    if run is not None and run.request_digest != key.request_digest:
        raise InvalidError(
            "this Idempotency-Key was used for a different request; use a new key",
            code="idempotency.mismatch",
        )
    return run


@contextmanager
def spec_errors() -> Iterator[None]:
    """What a spec refuses is the user's to mend."""
    try:
        yield
    except ExtractionError as error:
        raise InvalidError(error.message, code=error.code) from error


def _check_source(actor: User, source: VectorVersion, target: BaseModelRevision) -> None:
    if source.artifact_id is None:
        raise NotFoundError(
            "this version has no file yet; its run has not finished", code="artifact.not_found"
        )
    # What is moved is a copy of the file, in other coordinates.
    check_files(actor, source.vector)
    if source.base_model.model_hash == target.model_hash:
        raise InvalidError(
            f"{source} is for {target.name} already; choose another base model",
            code="migration.same_model",
            fields={"base_model": "the vector is for it already"},
        )
    dataset = source.dataset_version.dataset
    if not Dataset.objects.filter(visible_to(actor), pk=dataset.pk).exists():
        raise NotAllowedError(
            f"the pairs that {source} was made of are private, so it cannot be measured for you; ask their "
            "owner to make the data set public",
            code="migration.private_dataset",
        )


def _publish_wish(actor: User, request: ExtractionRequest) -> dict[str, str]:
    if not request.publish_version:
        return {}
    check_publish_request(
        actor=actor,
        name=request.vector,
        version=request.publish_version,
        license=request.license,
        visibility=request.visibility,
    )
    return {"version": request.publish_version, "license": request.license, "visibility": request.visibility}


def check_quota(actor: User) -> None:
    """Count under the actor's lock, so that parallel requests cannot slip past the limit together.

    Raises:
        QuotaExceededError: too many runs of the actor wait.
    """
    User.objects.select_for_update().get(pk=actor.pk)
    limit = settings.RUN_MAX_QUEUED_PER_USER
    if Run.objects.filter(owner=actor, state__in=ACTIVE).count() >= limit:
        raise QuotaExceededError(
            f"{limit} of your runs wait or work; start more when one has ended", code="run.quota"
        )
