"""Presets over HTTP: from chosen vectors to what an inference client applies."""

import hashlib
import json
from typing import Any

import pytest

from registry.catalog.models import Vector
from steering_core.formats.preset import read_preset
from tests.api.conftest import Api
from tests.factories import make_vector_version

MIX = {
    "members": [
        {"reference": "acme/warmth", "strength": 0.2, "label": "Warmth", "low_label": "cold"},
        {"reference": "acme/brevity@1.0.0", "strength": -0.1, "range": [-0.2, 0.0]},
    ]
}


@pytest.fixture
def vectors(owner: Api) -> None:
    make_vector_version(owner.user, "warmth", seed=1)
    make_vector_version(owner.user, "brevity", seed=2)


@pytest.fixture
def published(owner: Api, vectors: None) -> dict[str, Any]:
    made = owner.post("/presets", {"name": "warm-and-brief", "title": "Warm and brief", **MIX})
    assert made.status_code == 201, made.content
    assert made["Location"].endswith(f"/presets/acme/warm-and-brief/versions/{made.json()['id']}")
    answer = owner.post("/presets/acme/warm-and-brief/publish", {"version": "1.0.0", "visibility": "public"})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def test_client_gets_all_in_one_object_and_the_file_by_its_digest(nobody: Api, published: Any) -> None:
    answer = nobody.get("/presets/acme/warm-and-brief/versions/latest")
    body = answer.json()

    assert (body["version"], body["state"], body["verdict"]) == ("1.0.0", "published", "unmeasured")
    warmth, brevity = body["members"]
    assert (warmth["reference"], warmth["label"], warmth["range"]) == (
        "acme/warmth@1.0.0",
        "Warmth",
        [-0.3, 0.45],
    )
    assert (brevity["strength"], brevity["range"], brevity["access"]) == (-0.1, [-0.2, 0.0], "open")
    vector = nobody.get(warmth["url"].partition("/api/v1")[2])
    assert "sha256:" + hashlib.sha256(vector.content).hexdigest() == warmth["digest"]
    assert [warning["code"] for warning in body["warnings"]] == ["preset.unmeasured"]
    assert "nobody measured" in answer["Warning"]
    path = "/presets/acme/warm-and-brief/versions/1.0.0"
    assert nobody.get(path, **{"If-None-Match": answer["ETag"]}).status_code == 304
    for where in (f"{path}/download", f"/blobs/{body['digest']}"):
        file = nobody.get(where)
        assert file["X-Bearing-Digest"] == body["digest"]
        assert read_preset(file.content).name == "acme/warm-and-brief"
    assert "immutable" in file["Cache-Control"]


def test_engines_are_told_what_to_do(nobody: Api, published: Any) -> None:
    path = "/presets/acme/warm-and-brief/versions/1.0.0/uses"
    uses = {item["engine"]: item for item in nobody.get(path).json()["items"]}

    assert [row["scale"] for row in uses["easysteer-request"]["body"]["vectors"]] == [0.2, -0.1]
    assert "acme-warmth.gguf:0.2,acme-brevity.gguf:-0.1" in uses["llama.cpp"]["usage"]
    assert uses["ds4"]["usage"] == ""
    assert set(uses["ds4"]["refused"]) == {"Warmth", "brevity"}
    (one,) = nobody.get(path, {"engine": "bearing"}).json()["items"]
    assert 'pull("acme/warmth@1.0.0"), 0.2' in one["usage"]


def test_gated_member_keeps_its_gate(nobody: Api, published: Any) -> None:
    Vector.objects.filter(name="warmth").update(access="gated")
    path = "/presets/acme/warm-and-brief/versions/1.0.0"

    answer = nobody.get(path)
    warmth, brevity = answer.json()["members"]
    assert (warmth["access"], warmth["url"]) == ("gated", None)
    assert brevity["url"]
    assert answer["Cache-Control"] == "private, no-store"
    refused = nobody.get(f"{path}/uses")
    assert (refused.status_code, refused.json()["code"]) == (403, "access.gated")


def test_member_made_private_later_is_hidden(nobody: Api, published: Any) -> None:
    Vector.objects.filter(name="warmth").update(visibility="private")
    path = "/presets/acme/warm-and-brief/versions/1.0.0"

    assert nobody.get(path).json()["members"][0]["access"] == "hidden"
    assert nobody.get(f"{path}/uses").json()["code"] == "preset.member_not_found"


def test_window_is_in_the_message_that_refuses_a_strength(owner: Api, vectors: None) -> None:
    mix = {"members": [{"reference": "acme/warmth", "strength": 0.9}]}
    answer = owner.post("/presets", {"name": "hot", **mix})

    assert (answer.status_code, answer.json()["code"]) == (422, "preset.beyond_window")
    assert "-0.3 to 0.45" in answer.json()["detail"]


def test_lists_ask_once_whatever_their_length(
    owner: Api, nobody: Api, published: Any, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        owner.post("/presets", {"name": f"mix-{number}", "visibility": "public", **MIX})
        owner.post(f"/presets/acme/mix-{number}/publish", {"version": "1.0.0"})
    with django_assert_num_queries(2):
        items = nobody.get("/presets", {"q": "mix"}).json()["items"]
    assert [item["latest"]["labels"] for item in items] == [["Warmth", "brevity"]] * 3
    for version in ("1.1.0", "1.2.0"):
        owner.post("/presets/acme/mix-0/versions", MIX)
        owner.post("/presets/acme/mix-0/publish", {"version": version})
    with django_assert_num_queries(3):
        versions = nobody.get("/presets/acme/mix-0/versions").json()["items"]
    assert [row["version"] for row in versions] == ["1.2.0", "1.1.0", "1.0.0"]


def test_owner_changes_words_yanks_and_takes_it_back(owner: Api, nobody: Api, published: Any) -> None:
    path = "/presets/acme/warm-and-brief"
    seen = owner.get(path)
    patch = {"title": "Short and kind"}
    stale = owner.send("PATCH", path, patch, **{"If-Match": '"other"'})
    assert stale.status_code == 412
    assert owner.send("PATCH", path, patch, **{"If-Match": seen["ETag"]}).json()["title"] == "Short and kind"
    yanked = owner.post(f"{path}/versions/1.0.0/yank", {"reason": "too warm"})
    assert (yanked.status_code, yanked.json()["state"]) == (200, "yanked")
    assert nobody.get(f"{path}/versions/latest").status_code == 404
    assert "too warm" in nobody.get(f"{path}/versions/1.0.0/download")["Warning"]
    assert owner.post(f"{path}/versions/1.0.0/unyank").json()["state"] == "published"


def test_draft_is_for_its_writers(owner: Api, other: Api, vectors: None) -> None:
    made = owner.post("/presets", {"name": "mix", "visibility": "unlisted", **MIX}).json()
    path = f"/presets/acme/mix/versions/{made['id']}"

    assert owner.get(path).json()["state"] == "draft"
    assert owner.get(f"{path}/download").json()["code"] == "artifact.not_found"
    assert other.get(path).status_code == 404
    assert owner.send("DELETE", path).status_code == 204
    assert owner.get(path).json()["code"] == "preset.version_not_found"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x", "members": []},
        {"name": "x", "members": [{"reference": "a/b"}]},
        {"name": "x", "mix": 1},
    ],
)
def test_body_of_another_form_is_refused(owner: Api, body: dict[str, Any]) -> None:
    answer = owner.post("/presets", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    assert json.dumps(answer.json()["errors"])


def test_another_users_public_vectors_may_be_mixed(caller: Any, published: Any) -> None:
    mallory = caller("mallory")
    made = mallory.post("/presets", {"name": "borrowed", **MIX})

    assert made.status_code == 201
    assert made.json()["preset"] == "mallory/borrowed"
