"""Vectors over HTTP: search, words, publish, yank, inspect."""

from io import BytesIO
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.factories import MODEL_HASH, make_artifact, make_vector_version

PATH = "/vectors/acme/formality"
PUBLISH = {"version": "1.0.0", "license": "CC-BY-4.0"}


def names(api: Api, **query: Any) -> list[str]:
    return [item["name"] for item in api.get("/vectors", query).json()["items"]]


def test_search_shows_published_vectors_with_their_latest(owner: Api, nobody: Api) -> None:
    version = make_vector_version(owner=owner.user)
    item = nobody.get("/vectors").json()["items"][0]
    latest = item.pop("latest")
    assert item["url"] == "http://localhost:8000/acme/formality"
    assert (latest["version"], latest["digest"]) == ("1.0.0", version.digest)
    assert (latest["verdict"], latest["grade"]) == ("pass", "B")
    assert (latest["base_model"], latest["model_hash"], latest["license"]) == (
        "bearing/demo",
        MODEL_HASH,
        "CC-BY-4.0",
    )
    assert latest["window"] == [-0.3, 0.45]
    assert latest["summary"].startswith("Turns replies")


def test_search_filters(owner: Api, nobody: Api) -> None:
    make_vector_version(owner=owner.user, verdict="warn")
    for query in (
        {"q": "FORM"},
        {"owner": "acme"},
        {"base_model": MODEL_HASH},
        {"verdict": "warn"},
        {"grade": "B"},
        {"q": MODEL_HASH},
    ):
        assert names(nobody, **query) == ["formality"]
    for query in ({"q": "zzz"}, {"owner": "x"}, {"base_model": "x"}, {"verdict": "pass"}, {"grade": "A"}):
        assert names(nobody, **query) == []


def test_mine_shows_own_drafts(owner: Api, other: Api, nobody: Api) -> None:
    make_vector_version(owner=owner.user, state="draft")
    assert names(owner) == []
    assert names(owner, mine="1") == ["formality"]
    assert names(other, mine="1") == []
    assert nobody.get("/vectors", {"mine": "1"}).status_code == 401


@pytest.mark.parametrize(
    "query", [{"q": "a\0b"}, {"q": "x" * 201}, {"verdict": "great"}, {"grade": "a"}, {"mine": "maybe"}]
)
def test_search_with_bad_parameter_is_refused(nobody: Api, query: dict[str, str]) -> None:
    answer = nobody.get("/vectors", query)
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


def test_search_takes_a_fixed_number_of_queries(
    owner: Api, nobody: Api, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        make_vector_version(owner=owner.user, name=f"v{number}", seed=number)
    with django_assert_num_queries(2):
        assert len(names(nobody)) == 3


def test_patch_changes_what_is_sent_alone(owner: Api) -> None:
    make_vector_version(owner=owner.user)
    owner.patch(PATH, {"title": "Formality", "description": "From casual to formal."})
    body = owner.patch(PATH, {"visibility": "private"}).json()
    assert (body["title"], body["description"], body["visibility"]) == (
        "Formality",
        "From casual to formal.",
        "private",
    )


def test_publish_freezes_the_newest_extracted_version(owner: Api, nobody: Api) -> None:
    make_vector_version(owner=owner.user, state="extracted")
    answer = owner.post(f"{PATH}/publish", {**PUBLISH, "visibility": "public"})
    assert answer.status_code == 201
    assert (answer.json()["state"], answer.json()["version"]) == ("published", "1.0.0")
    assert nobody.client.get(answer["Location"]).status_code == 200


def test_publish_by_draft_id_takes_that_draft(owner: Api) -> None:
    first = make_vector_version(owner=owner.user, state="extracted", seed=1)
    make_vector_version(owner=owner.user, state="extracted", seed=2)
    answer = owner.post(f"{PATH}/publish", {**PUBLISH, "draft_id": str(first.pk)})
    assert answer.json()["id"] == str(first.pk)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"version": "1.0"}, 422, "version.invalid"),
        ({"version": "v1.0.0"}, 422, "version.invalid"),
        ({"license": "GPL"}, 422, "request.invalid"),
        ({"draft_id": "not-a-uuid"}, 422, "request.invalid"),
        ({"draft_id": "00000000-0000-0000-0000-000000000000"}, 404, "version.not_found"),
        ({"visibility": "secret"}, 422, "request.invalid"),
        ({"name": "x"}, 422, "request.invalid"),
    ],
)
def test_publish_with_bad_field_is_refused(
    owner: Api, change: dict[str, Any], status: int, code: str
) -> None:
    make_vector_version(owner=owner.user, state="extracted")
    answer = owner.post(f"{PATH}/publish", {**PUBLISH, **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_publish_of_a_taken_version_is_a_conflict(owner: Api) -> None:
    make_vector_version(owner=owner.user)
    make_vector_version(owner=owner.user, state="extracted", seed=1)
    answer = owner.post(f"{PATH}/publish", PUBLISH)
    assert (answer.status_code, answer.json()["code"]) == (409, "version.taken")


def test_publish_of_a_waiting_draft_is_refused(owner: Api) -> None:
    draft = make_vector_version(owner=owner.user, state="draft")
    answer = owner.post(f"{PATH}/publish", {**PUBLISH, "draft_id": str(draft.pk)})
    assert (answer.status_code, answer.json()["code"]) == (422, "version.not_publishable")


def test_publish_of_an_unscreened_version_for_everybody_is_refused(owner: Api) -> None:
    make_vector_version(owner=owner.user, state="extracted", safety="insufficient")

    refused = owner.post(f"{PATH}/publish", {**PUBLISH, "visibility": "public"})
    kept = owner.post(f"{PATH}/publish", {**PUBLISH, "visibility": "private"})
    shown = owner.patch(PATH, {"visibility": "public"})

    assert (refused.status_code, refused.json()["code"]) == (422, "version.not_publishable")
    assert kept.status_code == 201
    assert (shown.status_code, shown.json()["code"]) == (422, "visibility.not_screened")


def test_yank_leaves_latest_and_keeps_the_pin(owner: Api, nobody: Api) -> None:
    make_vector_version(owner=owner.user)
    answer = owner.post(f"{PATH}/versions/1.0.0/yank", {"reason": 'wrong "poles"\n'})
    assert (answer.status_code, answer.json()["state"]) == (200, "yanked")
    assert nobody.get(f"{PATH}/versions/latest").status_code == 404
    pinned = nobody.get(f"{PATH}/versions/1.0.0")
    assert pinned["Warning"] == "299 - \"acme/formality@1.0.0 is yanked: wrong 'poles'\""
    assert names(nobody) == []
    assert owner.post(f"{PATH}/versions/1.0.0/unyank").json()["state"] == "published"
    assert "Warning" not in nobody.get(f"{PATH}/versions/latest")


@pytest.mark.parametrize(
    ("path", "code"), [("yank", "yank.no_reason"), ("unyank", "state.illegal_transition")]
)
def test_yank_out_of_order_is_refused(owner: Api, path: str, code: str) -> None:
    make_vector_version(owner=owner.user)
    body = {"reason": "  "} if path == "yank" else None
    assert owner.post(f"{PATH}/versions/1.0.0/{path}", body).json()["code"] == code


def test_versions_list_shows_drafts_to_the_owner_alone(owner: Api, nobody: Api) -> None:
    for number in ("0.9.0", "0.10.0"):
        make_vector_version(owner=owner.user, version=number, seed=len(number))
    make_vector_version(owner=owner.user, state="extracted", seed=9)
    seen = lambda api: [item["version"] for item in api.get(f"{PATH}/versions").json()["items"]]  # noqa: E731
    assert seen(nobody) == ["0.10.0", "0.9.0"]
    assert seen(owner) == [None, "0.10.0", "0.9.0"]


def test_versions_list_is_paged(owner: Api, nobody: Api) -> None:
    for number in range(3):
        make_vector_version(owner=owner.user, version=f"1.{number}.0", seed=number)
    first = nobody.get(f"{PATH}/versions", {"limit": 2}).json()
    second = nobody.get(f"{PATH}/versions", {"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [v["version"] for v in first["items"] + second["items"]] == ["1.2.0", "1.1.0", "1.0.0"]
    assert second["next_cursor"] is None


def test_inspect_says_what_is_in_a_file(owner: Api) -> None:
    body = owner.upload("/vectors/inspect", file=BytesIO(make_artifact())).json()
    assert body["model"]["model_hash"] == MODEL_HASH
    assert [item["key"] for item in body["directions"]] == ["resid_post.2"]
