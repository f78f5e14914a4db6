"""Start and cancel runs, on behalf of a user. What workers call is in `leases`, the sweeper's part in
`sweeping`.
"""

import logging
from dataclasses import asdict, dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from registry.accounts.models import User
from registry.catalog.selectors import base_model_get
from registry.catalog.services import check_publish_request, version_draft, version_fail
from registry.core.errors import ConflictError, InvalidError, NotFoundError, QuotaExceededError
from registry.core.naming import parse_dataset_reference, row_id
from registry.datasets.selectors import dataset_version_get
from registry.runs.dispatch import ring_on_commit
from registry.runs.models import Run, RunEvent
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


def extraction_start(
    *, owner: User, request: ExtractionRequest, idempotency_key: str = ""
) -> tuple[Run, bool]:
    """Queue an extraction and return its run, and whether it is new.

    The same `idempotency_key` with the same request gives the same run, however often and from however
    many clients.

    Raises:
        InvalidError: a part of the request is not valid, or the key was used for another request.
        NotFoundError: the dataset or the base model is unknown, or not the owner's to see.
        ConflictError: the version to publish as is taken.
        QuotaExceededError: too many runs of this owner wait.
    """
    request_digest = digest(canonical_json(asdict(request)))
    if len(idempotency_key) > 200:
        raise InvalidError("an Idempotency-Key has at most 200 characters", code="idempotency.key_invalid")
    if idempotency_key and (run := _run_of_key(owner, idempotency_key, request_digest)):
        return run, False
    owner_name, name, number = parse_dataset_reference(request.dataset)
    dataset_version = dataset_version_get(viewer=owner, owner=owner_name, name=name, number=number)
    base_model = base_model_get(reference=request.base_model)
    publish_as = _publish_wish(owner, request)
    try:
        spec = ExtractionSpec(
            dataset_digest=dataset_version.digest,
            model_hash=base_model.model_hash,
            method=request.method,
            site=request.site,
            pooling=request.pooling,
            tier=request.tier,
        )
    except ExtractionError as error:
        raise InvalidError(error.message, code=error.code) from error
    try:
        with transaction.atomic():
            _check_quota(owner)
            version = version_draft(
                owner=owner,
                name=request.vector,
                base_model=base_model,
                dataset_version=dataset_version,
                spec=spec,
            )
            run = Run.objects.create(
                kind=Run.Kind.EXTRACT,
                owner=owner,
                vector_version=version,
                publish_as=publish_as,
                idempotency_key=idempotency_key or None,
                request_digest=request_digest,
            )
            event_add(run, "queued", "Waiting for a worker")
            ring_on_commit(run)
    except IntegrityError:
        # Two requests with one key at once: the other one won, and its run is the answer.
        if idempotency_key and (run := _run_of_key(owner, idempotency_key, request_digest)):
            return run, False
        raise
    logger.info("run queued", extra={"run_id": run.pk, "kind": run.kind})
    return run, True


def run_cancel(*, owner: User, run_id: str) -> Run:
    """Cancel a run: at once when it waits, at its next step when it runs. Cancelling twice is no error.

    Raises:
        NotFoundError: the owner has no such run.
        ConflictError: it has ended already.
    """
    with transaction.atomic():
        run = (
            Run.objects.select_for_update()
            .select_related("vector_version")
            .filter(owner=owner, pk=row_id(run_id))
            .first()
        )
        if run is None:
            raise NotFoundError("you have no such run", code="run.not_found")
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
    version_fail(version=run.vector_version)
    event_add(run, state, message)
    logger.info("run ended", extra={"run_id": run.pk, "state": state, "error_code": code})


def event_add(run: Run, stage: str, message: str) -> None:
    """Append a line to a run's log."""
    RunEvent.objects.create(
        run=run, attempt=run.attempt, stage=stage[:40], progress=run.progress, message=message[:500]
    )


def _run_of_key(owner: User, key: str, request_digest: str) -> Run | None:
    run = Run.objects.filter(owner=owner, idempotency_key=key).first()
    if run is not None and run.request_digest != request_digest:
        raise InvalidError(
            "this Idempotency-Key was used for a different request; use a new key",
            code="idempotency.mismatch",
        )
    return run


def _publish_wish(owner: User, request: ExtractionRequest) -> dict[str, str]:
    if not request.publish_version:
        return {}
    check_publish_request(
        owner=owner,
        name=request.vector,
        version=request.publish_version,
        license=request.license,
        visibility=request.visibility,
    )
    return {"version": request.publish_version, "license": request.license, "visibility": request.visibility}


def _check_quota(owner: User) -> None:
    """Count under the owner's lock, so that parallel requests cannot slip past the limit together."""
    User.objects.select_for_update().get(pk=owner.pk)
    limit = settings.RUN_MAX_QUEUED_PER_USER
    if Run.objects.filter(owner=owner, state__in=ACTIVE).count() >= limit:
        raise QuotaExceededError(
            f"{limit} of your runs wait or work; start more when one has ended", code="run.quota"
        )
