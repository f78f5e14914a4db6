"""Search, facets, similar vectors and what fits a base model, over HTTP."""

from typing import Any

import pytest
from django.db import connection

from registry.catalog.models import VectorVersion
from registry.catalog.vectors import vector_update
from steering_core.formats.bearing import write_vector
from tests.api.conftest import Api
from tests.factories import MODEL_HASH, make_base_model, make_vector, make_vector_version

VERSION = "/vectors/acme/formality/versions/1.0.0"
OTHER_HASH = "sha256:" + "0d" * 32


def names(api: Api, path: str = "/vectors", **query: Any) -> list[str]:
    answer = api.get(path, query)
    assert answer.status_code == 200, answer.json()
    return [item["name"] for item in answer.json()["items"]]


def test_search_takes_repeated_facets_and_orders(owner: Api, nobody: Api) -> None:
    for seed, verdict in enumerate(("pass", "warn", "fail")):
        make_vector_version(owner.user, f"tone-{verdict}", verdict=verdict, seed=seed)
    vector_update(actor=owner.user, name="tone-warn", trait="Warmth", language="en-GB")
    assert names(nobody, verdict=["pass", "warn"]) == ["tone-pass", "tone-warn"]
    assert names(nobody, trait="WARMTH", language="en-gb", family="Llama", site="resid_post") == ["tone-warn"]
    assert names(nobody, base_model=["other/model", MODEL_HASH], sort="newest", since="2026-01-01") == [
        "tone-fail",
        "tone-warn",
        "tone-pass",
    ]
    assert names(nobody, license="MIT") == names(nobody, access="paid") == names(nobody, q="!&|") == []


def test_pages_of_a_search_follow_their_cursor(owner: Api, nobody: Api) -> None:
    for seed in range(3):
        make_vector_version(owner.user, f"tone-{seed}", seed=seed)
    first = nobody.get("/vectors", {"q": "tone", "limit": 2})
    cursor = first.json()["next_cursor"]
    assert f"cursor={cursor}" in first["Link"]
    assert names(nobody, q="tone", limit=2, cursor=cursor) == ["tone-0"]
    answer = nobody.get("/vectors", {"sort": "newest", "cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor.invalid")


@pytest.mark.parametrize(
    "query", [{"sort": "best"}, {"since": "soon"}, {"license": "GPL"}, {"site": ["x"] * 21}, {"trait": ""}]
)
def test_bad_parameters_are_refused(nobody: Api, query: dict[str, Any]) -> None:
    for path in ("/vectors", "/vectors/facets"):
        answer = nobody.get(path, query)
        assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


def test_facets_count_what_the_caller_may_see(
    owner: Api, nobody: Api, django_assert_num_queries: Any
) -> None:
    make_vector_version(owner.user)
    make_vector_version(owner.user, "secret", visibility="private", verdict="warn", seed=1)
    with django_assert_num_queries(2):
        body = nobody.get("/vectors/facets", {"verdict": "pass"}).json()
    assert (body["total"], body["approximate"]) == (1, False)
    assert body["facets"]["verdict"] == [{"value": "pass", "count": 1}]
    assert body["facets"]["model_hash"] == [{"value": MODEL_HASH, "count": 1}]
    assert owner.get("/vectors/facets").json()["total"] == 2
    assert nobody.get("/vectors/facets", {"mine": "1"}).status_code == 401


def test_sign_flipped_copy_is_told_at_publication_and_found_afterwards(
    owner: Api, other: Api, nobody: Api, django_capture_on_commit_callbacks: Any
) -> None:
    make_vector_version(owner.user)
    flipped = write_vector(-make_vector())
    with django_capture_on_commit_callbacks(execute=True):
        draft = make_vector_version(other.user, "mine", state="extracted", artifact=flipped)

    def told(ref: str) -> list[dict[str, str]]:
        about = f"mallory/mine@{ref} is acme/formality@1.0.0 with its sign flipped (cosine −1.0000)"
        return [{"code": "version.near_copy", "message": f"{about}, which was published before"}]

    assert other.get(f"/versions/{draft.pk}").json()["warnings"] == told("draft")
    body = {"version": "1.0.0", "license": "MIT", "visibility": "public"}
    published = other.post("/vectors/mallory/mine/publish", body)
    assert published.status_code == 201
    assert published.json()["warnings"] == told("1.0.0")

    (item,) = nobody.get("/vectors/acme/formality/versions/latest/similar").json()["items"]
    assert (item["reference"], item["cosine"], item["relation"]) == (
        "mallory/mine@1.0.0",
        -1.0,
        "sign_flipped",
    )
    assert item["url"] == "http://localhost:8000/mallory/mine/versions/1.0.0"


def test_similar_takes_the_same_queries_for_one_or_three(owner: Api, nobody: Api) -> None:
    counts = []
    make_vector_version(owner.user)
    for seed in (1, 2, 3):
        make_vector_version(owner.user, f"tone-{seed}", seed=seed)
        connection.force_debug_cursor = True
        connection.queries_log.clear()
        assert len(nobody.get(f"{VERSION}/similar").json()["items"]) == seed
        counts.append(len(connection.queries_log))
        connection.force_debug_cursor = False
    assert counts == [counts[0]] * 3
    assert nobody.get(f"{VERSION}/similar?limit=21").status_code == 422


def test_base_model_lists_what_fits_exactly_and_what_may_be_carried_over(owner: Api, nobody: Api) -> None:
    make_vector_version(owner.user)
    make_vector_version(owner.user, "secret", visibility="private", seed=1)
    other = make_base_model("bearing/demo-2", OTHER_HASH)
    path = "/base-models/{}/vectors"
    (item,) = nobody.get(path.format(MODEL_HASH)).json()["items"]
    assert (item["reference"], item["fit"], item["hint"]) == ("acme/formality@1.0.0", "exact", "")
    assert item["vector"]["name"] == "formality"
    assert nobody.get(path.format(OTHER_HASH)).json()["items"] == []
    (item,) = nobody.get(path.format(OTHER_HASH), {"fit": "same_shape"}).json()["items"]
    assert (item["model_hash"], item["reference"]) == (MODEL_HASH, "acme/formality@1.0.0")
    assert "bearing compatibility" in item["hint"]
    assert nobody.get(path.format(OTHER_HASH), {"fit": "same_family"}).json()["items"] == []
    # A later version for the other model leaves the first where it works.
    draft = make_vector_version(owner.user, state="extracted", seed=2)
    VectorVersion.objects.filter(pk=draft.pk).update(base_model=other)
    owner.post("/vectors/acme/formality/publish", {"version": "2.0.0", "license": "MIT"})
    (one,) = nobody.get(path.format(MODEL_HASH)).json()["items"]
    (two,) = nobody.get(path.format(OTHER_HASH)).json()["items"]
    assert (one["reference"], two["reference"]) == ("acme/formality@1.0.0", "acme/formality@2.0.0")
    assert nobody.get(path.format(OTHER_HASH), {"fit": "same_shape"}).json()["items"] == []
    assert nobody.get(path.format("sha256:" + "1" * 64)).json()["code"] == "base_model.not_found"
