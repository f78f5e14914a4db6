"""Who may have which mix measured, and what becomes of the run's end."""

from typing import Any

import pytest

from registry.accounts.models import User
from registry.catalog.models import Vector
from registry.core.errors import ConflictError, InvalidError, NotAllowedError, NotFoundError
from registry.datasets.models import Dataset
from registry.presets.drafts import MemberWish, PresetWish, preset_create, preset_draft_discard
from registry.presets.models import PresetVersion
from registry.presets.publishing import preset_publish
from registry.presets.selectors import preset_version_get
from registry.runs.claims import MixClaim, MixResult
from registry.runs.composing import MeasureRequest, measurement_start
from registry.runs.leases import run_claim, run_complete, run_fail
from registry.runs.models import Run
from registry.runs.selectors import run_list
from registry.runs.services import run_cancel
from registry.runs.states import ErrorClass, RunState
from steering_core.evaluation.composition.record import write_composition
from tests.factories import make_vector_version
from tests.steering_core.evaluation.composition.test_verdict import composition


@pytest.fixture
def draft(owner: User) -> PresetVersion:
    members = []
    for seed, name in enumerate(("warm", "brief")):
        make_vector_version(owner, name, seed=seed)
        members.append(MemberWish(f"acme/{name}", 0.3, name))
    return preset_create(actor=owner, wish=PresetWish("mix", members, mode="equal_dose"))


def request(draft: PresetVersion, **fields: Any) -> MeasureRequest:
    return MeasureRequest(**{"owner": "acme", "name": "mix", "reference": str(draft.pk), **fields})


def claimed(run: Run) -> MixClaim:
    claim = run_claim(run_id=str(run.pk))
    assert isinstance(claim, MixClaim)
    return claim


def result() -> MixResult:
    return MixResult(write_composition(composition()), "pass", ())


def test_worker_is_told_files_pairs_and_the_strengths_after_the_mode(
    owner: User, draft: PresetVersion
) -> None:
    run, is_new = measurement_start(actor=owner, request=request(draft))

    claim = claimed(run)
    assert is_new
    assert [member.label for member in claim.members] == ["warm", "brief"]
    assert [member.strength for member in claim.members] == pytest.approx([0.3 / 2**0.5] * 2)
    assert len({member.artifact_sha256 for member in claim.members}) == 2
    assert (claim.wanted, claim.tier, claim.scorer) == ({}, "standard", "demo")


def test_result_goes_into_the_draft_and_the_run_ends(owner: User, draft: PresetVersion) -> None:
    run, _ = measurement_start(actor=owner, request=request(draft))
    claim = claimed(run)

    assert run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result())
    assert not run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result())
    row = preset_version_get(viewer=owner, owner="acme", name="mix", reference=str(draft.pk))
    assert (row.verdict, row.composition is not None) == ("pass", True)
    (shown,) = (run for run in run_list(viewer=owner) if run.kind == "compose")
    assert (shown.state, str(shown.subject)) == ("succeeded", "acme/mix")


def test_failed_or_cancelled_measurement_leaves_the_draft_as_it_was(
    owner: User, draft: PresetVersion
) -> None:
    run, _ = measurement_start(actor=owner, request=request(draft))
    claim = claimed(run)
    fault = {"error_class": ErrorClass.USER, "code": "evaluation.members", "message": "no room"}
    assert run_fail(run_id=claim.run_id, lease_token=claim.lease_token, **fault)  # type: ignore[arg-type]
    second, _ = measurement_start(actor=owner, request=request(draft))
    assert run_cancel(actor=owner, run_id=str(second.pk)).state == RunState.CANCELLED
    draft.refresh_from_db()
    assert (draft.state, draft.verdict) == ("draft", "unmeasured")


def test_result_that_comes_after_the_draft_has_gone_is_refused(owner: User, draft: PresetVersion) -> None:
    run, _ = measurement_start(actor=owner, request=request(draft))
    claim = claimed(run)
    preset_draft_discard(actor=owner, owner="acme", name="mix", reference=str(draft.pk))
    with pytest.raises(ConflictError, match="discarded meanwhile"):
        run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result())


def test_composition_of_another_mix_is_refused(owner: User, draft: PresetVersion) -> None:
    run, _ = measurement_start(actor=owner, request=request(draft))
    claim = claimed(run)
    PresetVersion.objects.get(pk=draft.pk).members.filter(label="warm").update(label="Warm")
    with pytest.raises(InvalidError, match="another mix"):
        run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result())


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"tier": "gold"}, "preset.tier"),
        ({"wanted": {"cold": 1.0}}, "preset.wanted"),
        ({"wanted": {"warm": float("inf")}}, "preset.wanted"),
        ({"wanted": {"warm": 0.2}}, "preset.wanted"),
    ],
)
def test_request_that_cannot_be_met_is_refused(
    owner: User, draft: PresetVersion, fields: dict[str, Any], code: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        measurement_start(actor=owner, request=request(draft, **fields))

    assert caught.value.code == code


def test_one_vector_and_a_published_mix_are_not_measured(owner: User, draft: PresetVersion) -> None:
    alone = preset_create(actor=owner, wish=PresetWish("alone", [MemberWish("acme/warm", 0.1)]))
    with pytest.raises(InvalidError, match="disturbs no other"):
        measurement_start(actor=owner, request=request(alone, name="alone"))
    preset_publish(actor=owner, owner="acme", name="mix", version="1.0.0")
    with pytest.raises(ConflictError, match="frozen"):
        measurement_start(actor=owner, request=request(draft, reference="1.0.0"))


def test_files_and_pairs_of_others_are_not_measured_without_their_leave(
    owner: User, other: User, draft: PresetVersion
) -> None:
    mix = [MemberWish("acme/warm", 0.1), MemberWish("acme/brief", 0.1)]
    row = preset_create(actor=other, wish=PresetWish("mix", mix))
    asked = request(row, owner="mallory")
    with pytest.raises(NotAllowedError) as caught:
        measurement_start(actor=other, request=asked)
    assert caught.value.code == "preset.private_dataset"
    Dataset.objects.update(visibility="public")
    Vector.objects.filter(name="warm").update(access="gated")
    with pytest.raises(NotAllowedError) as caught:
        measurement_start(actor=other, request=asked)
    assert caught.value.code == "access.gated"
    Vector.objects.filter(name="warm").update(visibility="private")
    with pytest.raises(NotFoundError):
        measurement_start(actor=other, request=asked)
