"""Deriving versions and their lineage over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from registry.catalog.lifecycle import version_yank
from registry.catalog.models import Vector, VectorVersion, VersionParent
from registry.catalog.releasing import version_publish
from registry.datasets.services import dataset_make_public
from registry.runs.claims import ArtifactResult
from registry.runs.leases import run_claim, run_complete
from registry.runs.services import MigrationRequest, migration_start
from steering_core.formats.bearing import write_vector
from steering_core.vector import combined
from tests.api.conftest import Api
from tests.factories import make_base_model, make_vector, make_vector_version
from tests.reports import make_report

OTHER_HASH = "sha256:" + "cd" * 32
NEGATED = {"parents": [{"reference": "acme/warmth@1.0.0", "weight": -1}]}
MIX = {
    "parents": [
        {"reference": "acme/warmth@1.0.0", "weight": 1},
        {"reference": "acme/brevity@1.0.0", "weight": 0.5},
    ],
    "tier": "smoke",
}


@pytest.fixture
def parents(owner: Api) -> list[VectorVersion]:
    return [make_vector_version(owner.user, name, seed=n) for n, name in enumerate(("warmth", "brevity"))]


def finish(run_id: str, weights: tuple[float, ...], version: str = "") -> VectorVersion:
    """End a derivation the way a worker would; its report is made up."""
    claim = run_claim(run_id=run_id)
    assert claim is not None
    assert tuple(parent.weight for parent in claim.parents) == weights
    vector = combined([(make_vector(n), weight) for n, weight in enumerate(weights)])
    result = ArtifactResult(write_vector(vector), make_report())
    run_complete(run_id=run_id, lease_token=claim.lease_token, result=result)
    row = VectorVersion.objects.select_related("vector__owner", "run__owner").get(run=run_id)
    if version:
        row = version_publish(
            actor=row.run.owner,
            owner=row.vector.owner.slug,
            name=row.vector.name,
            version=version,
            license="MIT",
            visibility="public",
        )
    return row


@pytest.mark.usefixtures("parents")
def test_derivation_is_a_run_that_ends_in_a_version_like_any_other(owner: Api) -> None:
    answer = owner.post("/vectors/acme/warm-and-brief/derive", MIX, **{"Idempotency-Key": "k"})
    run = answer.json()
    assert answer.status_code == 202, run
    assert (run["kind"], run["vector"], answer["Location"][-36:]) == (
        "derive",
        "acme/warm-and-brief",
        run["id"],
    )
    again = owner.post("/vectors/acme/warm-and-brief/derive", MIX, **{"Idempotency-Key": "k"})
    assert again.json()["id"] == run["id"]

    made = finish(run["id"], (1, 0.5), "1.0.0")
    body = owner.get("/vectors/acme/warm-and-brief/versions/1.0.0").json()
    assert body["origin"] == "derived"
    assert body["spec"]["derived"]["kind"] == "combined"
    assert [parent["weight"] for parent in body["spec"]["derived"]["parents"]] == [1, 0.5]
    assert made.extraction_spec.tier == "smoke"
    assert body["dataset"] == "acme/tone-pairs@1"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"parents": [{"reference": "acme/warmth@1.0.0", "weight": 2}]}, 422, "derive.weight"),
        ({"parents": [{"reference": "acme/warmth@1.0.0", "weight": 0}]}, 422, "derive.weight"),
        ({"parents": [*NEGATED["parents"], *MIX["parents"]]}, 422, "derive.parents"),
        ({"parents": [{"reference": "acme/none@1.0.0", "weight": -1}]}, 404, "vector.not_found"),
        ({"parents": []}, 422, "request.invalid"),
        ({"dataset": "acme/none@1"}, 404, "dataset.not_found"),
        (
            {"parents": [{"reference": "acme/copy@1.0.0", "weight": 1}, *NEGATED["parents"]]},
            422,
            "derive.parents",
        ),
    ],
)
@pytest.mark.usefixtures("parents")
def test_derivation_that_cannot_be_is_refused(
    owner: Api, change: dict[str, Any], status: int, code: str
) -> None:
    make_vector_version(owner.user, "copy", seed=0)  # the file of warmth
    answer = owner.post("/vectors/acme/cold/derive", {**NEGATED, **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_files_and_pairs_have_to_be_the_callers_to_have(
    owner: Api, other: Api, parents: list[VectorVersion]
) -> None:
    path = "/vectors/mallory/cold/derive"
    assert other.post(path, NEGATED)["X-Error-Code"] == "derive.private_dataset"
    dataset_make_public(actor=owner.user, name="tone-pairs")
    assert other.post(path, NEGATED).status_code == 202
    Vector.objects.filter(name="warmth").update(access="gated")
    assert other.post(path, NEGATED)["X-Error-Code"] == "access.gated"
    Vector.objects.filter(name="warmth").update(visibility="private")
    assert other.post(path, NEGATED).status_code == 404
    assert other.post("/vectors/acme/cold/derive", NEGATED).status_code == 403
    draft = make_vector_version(owner.user, state="extracted", seed=5)
    wanted = {"parents": [{"reference": str(draft.pk), "weight": -1}]}
    assert owner.post("/vectors/acme/cold/derive", wanted)["X-Error-Code"] == "derive.parents"


def test_lineage_goes_up_and_down_and_names_what_is_hidden_to_nobody(
    owner: Api, nobody: Api, parents: list[VectorVersion], django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    mix = finish(owner.post("/vectors/acme/mix/derive", MIX).json()["id"], (1, 0.5), "1.0.0")
    turned = {"parents": [{"reference": "acme/mix@1.0.0", "weight": -1}]}
    owner.post("/vectors/acme/opposite/derive", turned)
    make_base_model(name="bearing/other", model_hash=OTHER_HASH)
    migration_start(actor=owner.user, request=MigrationRequest("acme/mix@1.0.0", OTHER_HASH, "moved"))
    members = [{"reference": "acme/mix@1.0.0", "strength": 0.1}]
    owner.post("/presets", {"name": "blend", "members": members})
    answer = owner.post("/presets/acme/blend/publish", {"version": "1.0.0", "visibility": "public"})
    assert answer.status_code == 201, answer.content

    with django_assert_max_num_queries(24):
        body = owner.get("/vectors/acme/mix/versions/1.0.0/lineage").json()
    kinds = sorted((node["kind"], node["name"]) for node in body["nodes"])
    assert kinds == [
        ("dataset", "acme/tone-pairs@1"),
        ("preset", "acme/blend@1.0.0"),
        *[("run", "derive")] * 2,
        *[("run", "extract")] * 2,
        ("run", "migrate"),
        *[("version", f"acme/{name}") for name in ("brevity@1.0.0", "mix@1.0.0", "moved@draft")],
        *[("version", f"acme/{name}") for name in ("opposite@draft", "warmth@1.0.0")],
    ]
    names = {node["id"]: node["name"] for node in body["nodes"]}
    steps = {(names[e["from"]], names[e["to"]], e["kind"], e["weight"]) for e in body["edges"]}
    assert {
        ("acme/warmth@1.0.0", "acme/mix@1.0.0", "combined", 1.0),
        ("acme/brevity@1.0.0", "acme/mix@1.0.0", "combined", 0.5),
        ("acme/mix@1.0.0", "acme/opposite@draft", "negated", -1.0),
        ("acme/mix@1.0.0", "acme/moved@draft", "migrated", None),
        ("acme/mix@1.0.0", "acme/blend@1.0.0", "mixed", 0.1),
        ("acme/tone-pairs@1", "extract", "extracted", None),
        ("extract", "acme/warmth@1.0.0", "extracted", None),
        ("acme/tone-pairs@1", "derive", "measured", None),
    } <= steps
    assert not body["is_cut"]

    Vector.objects.filter(name="warmth").update(visibility="private")
    answer = nobody.get("/vectors/acme/mix/versions/1.0.0/lineage")
    shown = answer.json()["nodes"]
    assert sorted((node["kind"], node["name"] or "") for node in shown) == [
        *[("hidden", "")] * 2,  # the private data set, and the private parent
        ("preset", "acme/blend@1.0.0"),
        ("version", "acme/brevity@1.0.0"),
        ("version", "acme/mix@1.0.0"),
    ]
    assert "warmth" not in answer.content.decode()
    assert str(parents[0].pk) not in answer.content.decode()
    # From below, the hidden one is not looked behind.
    assert nobody.get("/vectors/acme/brevity/versions/1.0.0/lineage").status_code == 200
    assert mix.parent_links.count() == 2


def test_nothing_can_come_from_itself(owner: Api, parents: list[VectorVersion]) -> None:
    mix = finish(owner.post("/vectors/acme/mix/derive", MIX).json()["id"], (1, 0.5), "1.0.0")
    draft = make_vector_version(owner.user, state="extracted", seed=7)
    later = make_vector_version(owner.user, state="extracted", seed=8)
    wrong = [(parents[0], mix), (mix, mix), (later, draft)]
    for child, parent in wrong:
        with pytest.raises(DatabaseError), transaction.atomic():
            VersionParent.objects.create(child=child, parent=parent, kind="negated", weight=-1)
    for change in (VersionParent.objects.update, lambda **_: VersionParent.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change(weight=3.0)


def test_chain_that_is_long_is_cut(owner: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    make_vector_version(owner.user, "warmth")
    for n in range(3):
        source = "acme/warmth@1.0.0" if n == 0 else f"acme/turn-{n - 1}@1.0.0"
        wanted = {"parents": [{"reference": source, "weight": -1.0}]}
        run = owner.post(f"/vectors/acme/turn-{n}/derive", wanted).json()
        claim = run_claim(run_id=run["id"])
        assert claim is not None
        vector = combined([(make_vector(), (-1.0) ** (n + 1))])
        result = ArtifactResult(write_vector(vector), make_report())
        run_complete(run_id=run["id"], lease_token=claim.lease_token, result=result)
        version_publish(
            actor=owner.user,
            owner="acme",
            name=f"turn-{n}",
            version="1.0.0",
            license="MIT",
            visibility="public",
        )
    version_yank(actor=owner.user, owner="acme", name="turn-0", version="1.0.0", reason="old")
    whole = owner.get("/vectors/acme/warmth/versions/1.0.0/lineage").json()
    assert (sum(node["kind"] == "version" for node in whole["nodes"]), whole["is_cut"]) == (4, False)
    monkeypatch.setattr("registry.runs.lineage.MAX_STEPS", 2)
    short = owner.get("/vectors/acme/warmth/versions/1.0.0/lineage").json()
    assert (sum(node["kind"] == "version" for node in short["nodes"]), short["is_cut"]) == (3, True)
    monkeypatch.setattr("registry.runs.lineage.MAX_VERSIONS", 2)
    assert owner.get("/vectors/acme/warmth/versions/1.0.0/lineage").json()["is_cut"]
