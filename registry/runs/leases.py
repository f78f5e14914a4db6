"""What a worker may do with a run: claim, heartbeat, report progress, complete, fail.

Every write shows the lease token. The token grows with each claim, so a worker that was frozen and woke
up after another took over finds that its writes match no row. All times are the database's own.
"""

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from registry.catalog.drafts import artifact_attach
from registry.catalog.lineage import parent_files
from registry.catalog.models import VectorVersion
from registry.catalog.publishing import artifact_manifest, certificate_check
from registry.catalog.releasing import version_freeze
from registry.catalog.selectors import control_list
from registry.core.errors import ConflictError, InvalidError, RemovedError
from registry.core.faults import fault_point
from registry.runs.claims import (
    ArtifactResult,
    Heartbeat,
    ImportClaim,
    MixClaim,
    MixResult,
    ParentClaim,
    RunClaim,
    SourceClaim,
)
from registry.runs.composing import mix_claim, mix_store
from registry.runs.facts import checked_facts
from registry.runs.models import Run
from registry.runs.services import event_add, run_end, run_record
from registry.runs.states import ErrorClass, RunState
from registry.storage.models import Blob
from registry.storage.services import blob_put
from steering_core.extraction import statistics
from steering_core.formats import bearing, conformance

logger = logging.getLogger(__name__)


def run_claim(*, run_id: str) -> RunClaim | MixClaim | None:
    """Take a waiting run, or one whose lease has lapsed. None when there is nothing to take: drop the
    message.
    """
    now = Now()
    free = Q(state=RunState.QUEUED) & (Q(not_before__isnull=True) | Q(not_before__lte=now))
    lapsed = Q(state=RunState.RUNNING, lease_until__lt=now)
    with transaction.atomic():
        taken = Run.objects.filter(free | lapsed, pk=run_id, attempt__lt=settings.RUN_MAX_ATTEMPTS).update(
            state=RunState.RUNNING,
            attempt=F("attempt") + 1,
            lease_token=F("lease_token") + 1,
            lease_until=now + timedelta(seconds=settings.RUN_LEASE_SECONDS),
            deadline_at=now + timedelta(seconds=settings.RUN_TIME_LIMIT_SECONDS),
            heartbeat_at=now,
            started_at=now,
            stage="claimed",
            progress=0.0,
        )
        if not taken:
            return None
        run = Run.objects.select_related(
            "vector_version__base_model",
            "vector_version__dataset_version",
            "vector_version__migrated_from__base_model",
            "preset_version__base_model",
        ).get(pk=run_id)
        event_add(run, "claimed", f"A worker took the run, attempt {run.attempt}")
    return mix_claim(run) if run.preset_version_id else _claim(run)


def run_heartbeat(*, run_id: str, lease_token: int) -> Heartbeat:
    """Extend the lease. Anything but `ok` means: stop working on this run."""
    mine = Run.objects.filter(pk=run_id, lease_token=lease_token, state=RunState.RUNNING)
    if not mine.filter(deadline_at__gt=Now()).update(
        lease_until=Now() + timedelta(seconds=settings.RUN_LEASE_SECONDS), heartbeat_at=Now()
    ):
        return "timed_out" if mine.exists() else "lost"
    return "cancel" if mine.filter(cancel_requested=True).exists() else "ok"


def run_progress(*, run_id: str, lease_token: int, stage: str, progress: float, message: str) -> bool:
    """Record how far a run is; False when the lease is no longer the caller's.

    A new stage becomes a line of the log; a step within a stage only moves the progress.
    """
    with transaction.atomic():
        run = _mine(run_id, lease_token)
        if run is None:
            return False
        is_new_stage = run.stage != stage
        run.stage, run.progress = stage, min(max(progress, 0.0), 1.0)
        run.save(update_fields=["stage", "progress"])
        if is_new_stage:
            event_add(run, stage, message)
    return True


def run_found(*, run_id: str, lease_token: int, message: str, facts: dict[str, Any]) -> bool:
    """Put what was measured on the way into the log; False when the lease is no longer the caller's.

    Raises:
        InvalidError: the facts are of no known kind, too large, or no JSON.
    """
    data = checked_facts(facts)
    with transaction.atomic():
        run = _mine(run_id, lease_token)
        if run is None:
            return False
        event_add(run, run.stage, message, data)
    return True


def run_complete(*, run_id: str, lease_token: int, result: ArtifactResult | MixResult) -> bool:
    """Store what was made, then, in one transaction, attach it, publish the version if that was asked for,
    and end the run. Of a mix there is no file; what was measured goes into its draft.

    Returns:
        False when the lease was lost: the result is dropped, and whoever holds the lease now will bring
        the same.
    Raises:
        BlobStoreError, BlobCorruptError: the store is out of reach or changes bytes.
        InvalidError: the artifact breaks docs/format.md, the certificate docs/conformance.md, or the
            composition docs/composition.md.
    """
    if isinstance(result, MixResult):
        return _mix_complete(run_id, lease_token, result)
    blob = blob_put(data=result.artifact, media_type=bearing.MEDIA_TYPE)
    certificate = _stored(result.conformance, conformance.MEDIA_TYPE)
    kept = _stored(result.statistics, statistics.MEDIA_TYPE)
    fault_point("after_blob", run_id)
    manifest = artifact_manifest(sha256=blob.sha256)
    if certificate is not None:
        certificate_check(sha256=certificate.sha256, manifest=manifest)
    with transaction.atomic():
        run = _mine(run_id, lease_token)
        if run is None:
            return False
        version = run.vector_version
        assert version is not None
        artifact_attach(
            version=version,
            artifact=blob,
            manifest=manifest,
            report=result.report,
            conformance=certificate,
            conformance_missing=result.conformance_missing,
        )
        _publish_as_wished(run, version)
        run.statistics = kept
        _succeed(run, version.verdict, f", grade {version.grade}" if version.grade else "")
        fault_point("inside_commit", run_id)
    logger.info("run succeeded", extra={"run_id": run_id, "verdict": version.verdict})
    return True


def run_fail(*, run_id: str, lease_token: int, error_class: ErrorClass, code: str, message: str) -> bool:
    """End an attempt that went wrong: platform errors queue the run again while attempts are left,
    others end it.

    Returns:
        False when the lease was lost.
    """
    with transaction.atomic():
        run = _mine(run_id, lease_token)
        if run is None:
            return False
        if error_class == ErrorClass.PLATFORM and run.attempt < settings.RUN_MAX_ATTEMPTS:
            pause_seconds = settings.RUN_RETRY_SECONDS * 2 ** (run.attempt - 1)
            run.state, run.stage, run.lease_until = RunState.QUEUED, "queued", None
            run.not_before = Now() + timedelta(seconds=pause_seconds)
            run.notified_at = None
            run.save()
            event_add(run, "queued", f"Something on our side failed; trying again in {pause_seconds:.0f} s")
            return True
        states = {ErrorClass.CANCELLED: RunState.CANCELLED, ErrorClass.TIMED_OUT: RunState.TIMED_OUT}
        run_end(run, states.get(error_class, RunState.FAILED), error_class, code, message)
    return True


def _mix_complete(run_id: str, lease_token: int, result: MixResult) -> bool:
    with transaction.atomic():
        run = _mine(run_id, lease_token)
        if run is None:
            return False
        _succeed(run, mix_store(run, result).verdict)
        fault_point("inside_commit", run_id)
    logger.info("run succeeded", extra={"run_id": run_id, "verdict": result.verdict})
    return True


def _succeed(run: Run, verdict: str, grade: str = "") -> None:
    run.state, run.stage, run.progress = RunState.SUCCEEDED, "done", 1.0
    run.lease_until = None
    run.finished_at = Now()
    run.save()
    event_add(run, "done", f"Verdict {verdict}{grade}")
    run_record("run.succeeded", run, None, verdict=verdict)


def _claim(run: Run) -> RunClaim:
    version = run.vector_version
    assert version is not None
    model = version.base_model
    return RunClaim(
        run_id=str(run.pk),
        lease_token=run.lease_token,
        attempt=run.attempt,
        lease_seconds=settings.RUN_LEASE_SECONDS,
        spec=version.extraction_spec,
        dataset_sha256=version.dataset_version.blob_id,
        model_name=model.name,
        model_path=model.path,
        model_hash=model.model_hash,
        scorer=model.scorer,
        suite_sha256=model.suite_id or "",
        controls=tuple(control_list(version=version)),
        source=_source(version.migrated_from),
        imported=_imported(version),
        parents=tuple(ParentClaim(*parent) for parent in parent_files(version=version)),
    )


def _source(version: VectorVersion | None) -> SourceClaim | None:
    if version is None:
        return None
    model = version.base_model
    return SourceClaim(str(version.artifact_id), model.name, model.path, model.model_hash)


def _imported(version: VectorVersion) -> ImportClaim | None:
    if version.imported_file_id is None:
        return None
    asked = version.spec["imported"]
    return ImportClaim(str(version.imported_file_id), asked["filename"], asked["direction"])


def _stored(data: bytes, media_type: str) -> Blob | None:
    return blob_put(data=data, media_type=media_type) if data else None


def _publish_as_wished(run: Run, version: VectorVersion) -> None:
    """Publish within the run's last transaction; a version name taken meanwhile, or a safety screen that
    refuses it, costs the publishing and not the work.
    """
    wish = run.publish_as
    if not wish:
        return
    try:
        version_freeze(
            actor=run.owner,
            version=version,
            name=wish["version"],
            license=wish["license"],
            visibility=wish["visibility"],
        )
    except (ConflictError, InvalidError, RemovedError) as error:
        event_add(run, "publish", f"Extracted but not published: {error.message}")


def _mine(run_id: str, lease_token: int) -> Run | None:
    """The run, locked, if this token still holds it."""
    return (
        Run.objects.select_for_update(of=("self",))
        .select_related(
            "owner",
            "vector_version__vector__owner",
            "vector_version__artifact",
            "preset_version__preset__owner",
        )
        .filter(pk=run_id, lease_token=lease_token, state=RunState.RUNNING)
        .first()
    )
