"""Resolving over HTTP: one reference and a hundred, by every form, for everybody."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.catalog.aliases import alias_set
from registry.catalog.gating import access_set
from registry.catalog.lifecycle import version_yank
from registry.catalog.models import Vector
from registry.catalog.removal import vector_remove, version_remove
from registry.catalog.transfers import vector_move
from tests.api.conftest import Api
from tests.factories import MODEL_HASH, make_artifact, make_user, make_vector_version

HOST = "http://localhost:8000"


def ask(api: Api, *references: str) -> list[Any]:
    answer = api.post("/resolve", {"references": list(references)})
    assert answer.status_code == 200, answer.content
    items: list[Any] = answer.json()["items"]
    return items


@pytest.fixture
def version(owner: Api) -> Any:
    return make_vector_version(owner=owner.user)


def test_object_is_enough_to_pull(nobody: Api, version: Any) -> None:
    body = nobody.get("/resolve", {"reference": "acme/formality@1.0.0"}).json()
    files = body.pop("files")
    assert body == {
        "reference": "acme/formality@1.0.0",
        "kind": "vector",
        "owner": "acme",
        "name": "formality",
        "version": "1.0.0",
        "digest": version.digest,
        "state": "published",
        "visibility": "public",
        "verdict": "pass",
        "grade": version.grade,
        "license": "CC-BY-4.0",
        "base_model": {"name": "bearing/demo", "model_hash": MODEL_HASH},
        "access": "open",
        "warnings": [],
        "page": f"{HOST}/acme/formality/versions/1.0.0",
    }
    assert [file["name"] for file in files] == ["vector.safetensors", "conformance.json"]
    assert (files[0]["digest"], files[0]["size_bytes"]) == (version.digest, len(make_artifact()))
    for file in files:
        answer = nobody.get(file["url"].removeprefix(f"{HOST}/api/v1"))
        assert answer["X-Bearing-Digest"] == file["digest"]
        assert "immutable" in answer["Cache-Control"]


def test_batch_keeps_the_order_and_says_null(owner: Api, nobody: Api, version: Any) -> None:
    hidden = make_vector_version(owner.user, "secret", visibility="private", seed=3)
    alias_set(actor=owner.user, owner="acme", name="formality", alias="stable", version="1.0.0")
    asked = (
        *("acme/formality@stable", "acme/nothing@1.0.0", "acme/formality", version.digest),
        *("acme/secret@1.0.0", "preset:acme/mix@1.0.0", f"acme/formality@{version.digest}", hidden.digest),
        *("acme/formality@9.9.9", "acme/formality@stable"),
    )
    found = ask(nobody, *asked)
    assert [item and item["reference"] for item in found] == [
        *("acme/formality@stable", None, "acme/formality", version.digest),
        *(None, None, f"acme/formality@{version.digest}", None),
        *(None, "acme/formality@stable"),
    ]
    assert {item["digest"] for item in found if item} == {version.digest}
    assert [item["digest"] for item in ask(owner, "acme/secret@1.0.0", hidden.digest)] == [hidden.digest] * 2


def test_queries_are_few_however_many_are_asked(
    owner: Api, nobody: Api, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    rows = [make_vector_version(owner.user, f"v{seed}", seed=seed) for seed in range(3)]
    alias_set(actor=owner.user, owner="acme", name="v0", alias="stable", version="1.0.0")
    Vector.objects.filter(name="v1").update(access="gated")
    forms = ("acme/v0@stable", "acme/v0", "acme/v1@1.0.0", "acme/v2@1.0.0", rows[2].digest)
    hundred = [*forms, *(f"acme/v{seed}@1.0.{seed % 7}" for seed in range(95))]
    with django_assert_max_num_queries(5):  # names, aliases, versions; requests and roles for the gated one
        found = ask(nobody, *hundred)
    assert [bool(item) for item in found[:5]] == [True] * 5
    with django_assert_max_num_queries(2):
        nobody.get("/resolve", {"reference": "acme/v0@1.0.0"})
    with django_assert_max_num_queries(1):
        nobody.get("/resolve", {"reference": rows[0].digest})


def test_old_name_yanked_and_removed_say_so(owner: Api, nobody: Api, version: Any) -> None:
    staff = make_user("staff", is_staff=True)
    newer = make_vector_version(owner.user, version="1.1.0", seed=1)
    vector_move(actor=owner.user, owner="acme", name="formality", to_owner="acme", to_name="register")
    alias_set(actor=owner.user, owner="acme", name="register", alias="stable", version="1.0.0")
    version_yank(actor=owner.user, owner="acme", name="register", version="1.0.0", reason="wrong sign")
    pinned, alias, new = ask(nobody, "acme/formality@1.0.0", "acme/register@stable", "acme/register@1.0.0")
    assert (pinned["name"], pinned["state"], alias) == ("register", "yanked", None)
    assert [notice["code"] for notice in pinned["warnings"]] == ["vector.moved", "version.yanked"]
    assert [notice["code"] for notice in new["warnings"]] == ["version.yanked"]
    assert pinned["files"]
    assert "wrong sign" in nobody.get("/resolve", {"reference": version.digest})["Warning"]
    behind = nobody.get("/resolve", {"reference": "acme/register@stable"})
    assert (behind.status_code, behind.json()["code"]) == (404, "alias.yanked")

    version_remove(actor=staff, version=newer, kind="safety", reason="it harms")
    (gone,) = ask(nobody, "acme/register@1.1.0")
    assert (gone["state"], gone["files"], gone["warnings"][-1]["code"]) == ("removed", [], "removed.safety")
    assert nobody.get("/resolve", {"reference": "acme/register@1.1.0"}).status_code == 410
    vector_remove(actor=staff, vector=version.vector, kind="legal", reason="a court said so")
    for reference in ("acme/register", "acme/register@1.0.0", version.digest):
        assert nobody.get("/resolve", {"reference": reference}).status_code == 451


@pytest.mark.usefixtures("version")
def test_gated_says_where_to_ask(owner: Api, nobody: Api, other: Api) -> None:
    access_set(actor=owner.user, owner="acme", name="formality", access="gated", mode="auto")
    answer = nobody.get("/resolve", {"reference": "acme/formality@1.0.0"})
    body = answer.json()
    assert (body["access"], body["files"]) == ("gated", [])
    assert f"{HOST}/api/v1/vectors/acme/formality/access-request" in body["warnings"][0]["message"]
    assert answer["Cache-Control"] == "private, no-store"
    other.post("/vectors/acme/formality/access-request", {})
    (let_in,) = ask(other, "acme/formality@1.0.0")
    assert (let_in["access"], len(let_in["files"])) == ("granted", 2)


@pytest.mark.usefixtures("version")
def test_answer_is_304_until_it_changes(owner: Api, nobody: Api) -> None:
    asked = {"reference": "acme/formality"}
    first = nobody.get("/resolve", asked)
    assert first["Cache-Control"].startswith("public, max-age=60")
    assert nobody.get("/resolve", asked, **{"If-None-Match": first["ETag"]}).status_code == 304
    make_vector_version(owner.user, version="1.1.0", seed=1)
    assert nobody.get("/resolve", asked, **{"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    "reference", ["formality", "acme/formality@", "acme/Formality@1.0.0", "sha256:xyz", "a/b@01.0.0"]
)
def test_what_is_no_reference_is_refused(nobody: Api, reference: str) -> None:
    for answer in (
        nobody.get("/resolve", {"reference": reference}),
        nobody.post("/resolve", {"references": ["acme/formality", reference]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "reference.invalid")


def test_files_are_found_by_digest(nobody: Api, version: Any) -> None:
    unknown = "sha256:" + "0" * 64
    items = nobody.post("/vectors/by-digest", {"digests": [unknown, version.digest]}).json()["items"]
    assert (items[0], items[1]["name"]) == (None, "formality")


def test_equal_files_give_the_one_that_most_may_see(owner: Api, nobody: Api, version: Any) -> None:
    make_vector_version(owner.user, "private-copy", visibility="private")
    make_vector_version(owner.user, "unlisted-copy", visibility="unlisted")
    assert [ask(api, version.digest)[0]["name"] for api in (owner, nobody)] == ["formality"] * 2


def test_preset_comes_with_its_members(
    owner: Api, nobody: Api, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    warmth = make_vector_version(owner.user, "warmth", seed=1)
    brevity = make_vector_version(owner.user, "brevity", seed=2)
    mix = [{"reference": f"acme/{name}", "strength": 0.1} for name in ("warmth", "brevity")]
    for name in ("one", "two", "three"):
        owner.post("/presets", {"name": name, "members": mix})
        owner.post(f"/presets/acme/{name}/publish", {"version": "1.0.0", "visibility": "public"})

    # Names, versions, members; names and versions of their vectors; requests for and roles on what is gated.
    with django_assert_max_num_queries(7):
        found = ask(
            nobody, "preset:acme/one", "preset:acme/two@1.0.0", "preset:acme/none", "preset:acme/three"
        )
    assert [item and item["name"] for item in found] == ["one", "two", None, "three"]
    one = found[0]
    assert [item["digest"] for item in one["vectors"]] == [warmth.digest, brevity.digest]
    assert all(item["files"] for item in one["vectors"])
    file = nobody.get(one["files"][0]["url"].removeprefix(f"{HOST}/api/v1"))
    assert (one["files"][0]["name"], file["X-Bearing-Digest"]) == ("preset.json", one["digest"])

    answer = nobody.get("/resolve", {"reference": f"preset:acme/one@{one['digest']}"})
    assert answer.json()["vectors"] == one["vectors"]
    assert answer["Cache-Control"].startswith("public")
    Vector.objects.filter(name="warmth").update(visibility="private")
    answer = nobody.get("/resolve", {"reference": "preset:acme/one"})
    assert [item["name"] for item in answer.json()["vectors"]] == ["brevity"]
    assert answer.json()["warnings"][-1]["code"] == "preset.member_hidden"
    assert answer["Cache-Control"] == "private, no-store"
    for reference, code in (
        ("preset:acme/none", "preset.not_found"),
        ("preset:acme/one@2.0.0", "preset.version_not_found"),
        (f"preset:{warmth.digest}", "reference.invalid"),
    ):
        assert nobody.get("/resolve", {"reference": reference})["X-Error-Code"] == code


REFS = st.sampled_from(["", "@1.0.0", "@1.1.0", "@2.0.0", "@latest", "@stable", "@gone", "@digest"])
NAMES = st.sampled_from(["acme/a", "acme/b", "acme/old", "acme/secret", "acme/none", "digest"])


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(asked=st.lists(st.tuples(NAMES, REFS, st.booleans()), min_size=1, max_size=6))
def test_batch_agrees_with_what_each_path_says(shelf: dict[str, Any], asked: list[Any]) -> None:
    api = shelf["api"]
    references = []
    for name, ref, is_yanked in asked:
        digest = shelf["yanked" if is_yanked else "digest"]
        references.append(digest if name == "digest" else name + ref.replace("digest", digest))
    for reference, item in zip(references, ask(api, *references), strict=True):
        name, _, ref = reference.partition("@")
        path = f"/vectors/{name}/versions/{ref or 'latest'}"
        one = api.get("/resolve", {"reference": reference})
        assert (one.json() if one.status_code == 200 else None) == item
        if "/" in name:
            whole = api.get(path)
            assert (whole.status_code == 200) == (item is not None)
            # Of what a version is a copy is said where it is shown, and is not asked for a hundred at once.
            told = [
                notice for notice in whole.json().get("warnings", []) if notice["code"] != "version.near_copy"
            ]
            assert item is None or told == item["warnings"]
            assert item is None or (whole.json()["digest"], whole.json()["url"]) == (
                item["digest"],
                item["page"],
            )


@pytest.fixture
def shelf(owner: Api, nobody: Api) -> dict[str, Any]:
    """Vectors in many states, and a digest that two of them share."""
    first = make_vector_version(owner.user, "a")
    second = make_vector_version(owner.user, "a", version="1.1.0", seed=1)
    make_vector_version(owner.user, "b", seed=2, visibility="unlisted")
    make_vector_version(owner.user, "secret", seed=4, visibility="private")
    make_vector_version(owner.user, "old", seed=0)
    vector_move(actor=owner.user, owner="acme", name="old", to_owner="acme", to_name="new")
    for name, version in (("a", "1.0.0"), ("b", "1.0.0")):
        alias_set(actor=owner.user, owner="acme", name=name, alias="stable", version=version)
    version_yank(actor=owner.user, owner="acme", name="a", version="1.0.0", reason="wrong sign")
    return {"api": nobody, "digest": second.digest, "yanked": first.digest}
