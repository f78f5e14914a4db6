"""Measure the mix of a preset: start the run, say what a worker is to do, store what it found.

`workers.tasks.composition` measures, with `steering_core.evaluation.composition`; see docs/composition.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db import IntegrityError, transaction

from registry.accounts.access import check_files, require, visible_to
from registry.accounts.models import User
from registry.accounts.roles import Role
from registry.core.errors import ConflictError, InvalidError, NotAllowedError, NotFoundError
from registry.datasets.models import Dataset
from registry.presets.measuring import composition_attach
from registry.presets.models import PresetMember, PresetVersion
from registry.presets.selectors import preset_version_get, visible_members
from registry.presets.states import MixMode, PresetState
from registry.runs.claims import MixClaim, MixMember, MixResult
from registry.runs.models import Run
from registry.runs.services import RequestKey, check_quota, run_make, run_of_key
from registry.runs.states import ACTIVE
from steering_core.evaluation.composition.record import MIN_MEMBERS

TIERS = ("smoke", "standard")


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """A draft to measure.

    Attributes:
        reference: the draft's id.
        wanted: changes of traits, by the labels of their sliders, to find strengths for; empty measures the
            draft's own strengths.
        tier: `smoke` or `standard`.
    """

    owner: str
    name: str
    reference: str
    wanted: Mapping[str, float] = field(default_factory=dict)
    tier: str = "standard"


def measurement_start(*, actor: User, request: MeasureRequest, idempotency_key: str = "") -> tuple[Run, bool]:
    """Queue the measurement of a draft; run, key and quota as in `services.extraction_start`.

    Raises:
        NotFoundError, NotAllowedError: there is no such draft for the actor, or it takes a role; a member's
            file or pairs are not theirs to have.
        InvalidError: it cannot be measured, or the wish is not valid.
        ConflictError: it is measured already, or is no draft any more.
        QuotaExceededError: too many runs of the actor wait.
    """
    _check_numbers(request.wanted)
    key = RequestKey.of(idempotency_key, request)
    if run := run_of_key(actor, key):
        return run, False
    row = preset_version_get(
        viewer=actor, owner=request.owner, name=request.name, reference=request.reference
    )
    require(actor, Role.WRITER, row.preset)
    _check_request(request, row)
    _check_members(actor, row)
    measure = {"wanted": dict(request.wanted), "tier": request.tier}
    try:
        with transaction.atomic():
            check_quota(actor)
            run = run_make(actor, key, kind=Run.Kind.COMPOSE, preset_version=row, measure=measure)
    except IntegrityError as error:
        if made := run_of_key(actor, key):
            return made, False
        if Run.objects.filter(preset_version=row, state__in=ACTIVE).exists():
            raise ConflictError(
                "this draft is being measured; wait for that run, or cancel it", code="preset.measuring"
            ) from error
        raise
    return run, True


def mix_claim(run: Run) -> MixClaim:
    """What a worker is to measure."""
    row = run.preset_version
    assert row is not None
    model, members = row.base_model, row.ordered
    return MixClaim(
        run_id=str(run.pk),
        lease_token=run.lease_token,
        attempt=run.attempt,
        lease_seconds=settings.RUN_LEASE_SECONDS,
        model_name=model.name,
        model_path=model.path,
        model_hash=model.model_hash,
        scorer=model.scorer,
        suite_sha256=model.suite_id or "",
        members=tuple(_member(*pair) for pair in zip(members, row.strengths, strict=True)),
        wanted=dict(run.measure.get("wanted", {})),
        tier=str(run.measure.get("tier", "standard")),
    )


def mix_store(run: Run, result: MixResult) -> PresetVersion:
    """Put a result into the draft of a run, in its last transaction.

    Raises:
        InvalidError, ConflictError: as `presets.measuring.composition_attach`.
    """
    return composition_attach(
        version_id=run.preset_version_id,
        composition=result.composition,
        verdict=result.verdict,
        reasons=result.reasons,
    )


def _member(member: PresetMember, strength: float) -> MixMember:
    row = member.vector_version
    return MixMember(
        label=member.label,
        artifact_sha256=str(row.artifact_id),
        dataset_sha256=str(row.dataset_version.blob_id),
        dataset_digest=row.dataset_version.digest,
        strength=strength,
    )


def _check_numbers(wanted: Mapping[str, float]) -> None:
    if wrong := next((label for label, change in wanted.items() if not math.isfinite(change)), None):
        raise InvalidError(
            f"{wrong!r}: {wanted[wrong]} cannot be wanted; expected a finite number",
            code="preset.wanted",
            fields={"wanted": "not a finite number"},
        )


def _check_request(request: MeasureRequest, row: PresetVersion) -> None:
    if row.state != PresetState.DRAFT:
        raise ConflictError(
            f"{row} is {row.state} and frozen; make another draft of it to measure", code="preset.frozen"
        )
    if request.tier not in TIERS:
        raise InvalidError(
            f"tier {request.tier!r} is not known; choose one of {', '.join(TIERS)}",
            code="preset.tier",
            fields={"tier": "unknown"},
        )
    labels = [member.label for member in row.ordered]
    for label, change in request.wanted.items():
        if label not in labels:
            raise InvalidError(
                f"{label!r}: {change:g} cannot be wanted; this draft has {', '.join(labels)}",
                code="preset.wanted",
                fields={"wanted": "not a label of this draft"},
            )
    if request.wanted and row.mode != MixMode.SUM:
        raise InvalidError(
            f"strengths are found for the mode sum, and this draft is {row.mode}; make one of mode sum",
            code="preset.wanted",
            fields={"wanted": "takes the mode sum"},
        )


def _check_members(actor: User, row: PresetVersion) -> None:
    members, seen = row.ordered, visible_members(actor, row)
    if len(members) < MIN_MEMBERS:
        raise InvalidError(
            "one vector alone disturbs no other, and its own report says what it does; add another",
            code="preset.not_measurable",
        )
    if not any(row.strengths):
        raise InvalidError("every slider is at 0, so there is no mix", code="preset.not_measurable")
    for member in members:
        version = member.vector_version
        if member.pk not in seen:
            raise NotFoundError(
                f"the vector of {member.label} is not yours to see", code="preset.member_not_found"
            )
        check_files(actor, version.vector)
        if (version.manifest or {}).get("operation") != "add":
            raise InvalidError(
                f"{version} is for the operation {(version.manifest or {}).get('operation')}; only additions "
                "are measured together",
                code="preset.not_measurable",
            )
        dataset = version.dataset_version.dataset
        if not Dataset.objects.filter(visible_to(actor), pk=dataset.pk).exists():
            raise NotAllowedError(
                f"the pairs of {version} are private, so its trait cannot be measured for you; ask their "
                "owner to make the data set public",
                code="preset.private_dataset",
            )
