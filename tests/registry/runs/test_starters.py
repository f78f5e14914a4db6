"""The starter presets: made once, of what may be published, from windows that were measured."""

from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from registry.accounts.models import User
from registry.datasets.models import Dataset
from registry.presets.models import Preset, PresetVersion
from registry.runs import starters
from registry.runs.claims import ArtifactResult, MixClaim, MixResult, RunClaim
from registry.runs.leases import run_claim, run_complete
from registry.runs.models import Run
from steering_core.evaluation.composition.record import write_composition
from tests.factories import make_artifact, make_base_model, make_user
from tests.reports import make_report
from tests.steering_core.evaluation.composition.test_verdict import composition

pytestmark = pytest.mark.django_db
FAILING = ("sentiment",)


@pytest.fixture
def demo_user(monkeypatch: pytest.MonkeyPatch) -> User:
    """A user who walked through the demo, and a worker that ends each run at once; one vector is unsafe."""
    make_base_model()
    monkeypatch.setattr(starters._Waiter, "wait", lambda self, run: work(run))
    return make_user("demo-0a1b2c")


def work(run: Run) -> None:
    claim = run_claim(run_id=str(run.pk))
    result: ArtifactResult | MixResult
    if isinstance(claim, MixClaim):
        found = composition()
        names = [member.label for member in claim.members]
        rows = tuple(replace(row, name=name) for row, name in zip(found.members, names, strict=True))
        solution = replace(found.solution, strengths=tuple(m.strength for m in claim.members))  # type: ignore[type-var]
        curves = tuple(replace(curve, points=()) for curve in found.curves)
        made = replace(found, members=rows, curves=curves, solution=solution)
        result = MixResult(write_composition(made), "pass", ())
    else:
        assert isinstance(claim, RunClaim)
        assert run.vector_version is not None
        name = run.vector_version.vector.name
        report = make_report("pass", "fail" if name in FAILING else "pass")
        result = ArtifactResult(make_artifact(seed=len(name)), report)
    assert claim is not None
    assert run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result)


def make(owner: User) -> tuple[list[str], list[str]]:
    said: list[str] = []
    return starters.starters_make(owner=owner, say=said.append, timeout_seconds=1), said


def test_starters_are_made_of_what_may_be_published_and_only_once(demo_user: User) -> None:
    made, said = make(demo_user)

    assert made == ["demo-0a1b2c/warm-and-formal", "demo-0a1b2c/brief-and-casual"]
    assert any("sure-and-upbeat: not all of its vectors may be published" in line for line in said)
    row = Preset.objects.get(name="brief-and-casual").latest
    assert row is not None
    # 0.4 of the way to the lower end of the window, -0.3.
    assert [member.strength for member in row.ordered] == [-0.12, -0.12]
    assert (row.verdict, Dataset.objects.filter(visibility="public").count()) == ("pass", 4)
    runs = Run.objects.count()
    assert make(demo_user)[0] == made
    assert Run.objects.count() == runs


def test_starters_go_on_where_they_were_cut_off(demo_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(self: Any, run: Run) -> None:
        if run.kind == "compose":
            raise TimeoutError("cut off")
        work(run)

    with monkeypatch.context() as patch:
        patch.setattr(starters._Waiter, "wait", cut)
        with pytest.raises(TimeoutError):
            make(demo_user)
    assert PresetVersion.objects.get().state == "draft"
    assert make(demo_user)[0][0] == "demo-0a1b2c/warm-and-formal"


def test_command_takes_the_first_user_of_the_demo(
    demo_user: User, capsys: pytest.CaptureFixture[str]
) -> None:
    assert starters.starters_owner() == demo_user
    with pytest.raises(CommandError, match="no user"):
        call_command("starter_presets", "--owner", "nobody")
    User.objects.all().delete()
    call_command("starter_presets")
    assert "make demo does" in capsys.readouterr().out
