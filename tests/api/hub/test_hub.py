"""The interface of the Hub over HTTP, beyond what its client shows: links, hosts, refusals, who sees what."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings
from django.test import Client

from registry.api.hub.revisions import commit_of
from registry.catalog.models import Vector
from registry.catalog.removal import vector_remove
from tests.api.conftest import Api
from tests.factories import make_artifact, make_dataset_version, make_user, make_vector_version

FILE = "/acme/formality/resolve/{}/vector.safetensors"


@pytest.fixture
def version(owner: Api) -> Any:
    return make_vector_version(owner=owner.user)


@pytest.fixture
def web(db: None) -> Client:
    return Client(SERVER_NAME="localhost")


def test_file_is_a_link_to_the_other_name_of_the_service(web: Client, version: Any) -> None:
    answer = web.head(FILE.format("main"))
    assert answer.status_code == 302
    assert answer["X-Repo-Commit"] == commit_of(version) == version.artifact_id[:40]
    assert answer["X-Linked-ETag"] == f'"{version.artifact_id}"'
    assert answer["X-Linked-Size"] == str(len(make_artifact()))
    assert answer["Cache-Control"] == "private, no-store"
    address = urlsplit(answer["Location"])
    assert address.netloc == "127.0.0.1"
    whole = web.get(address.path)
    assert (whole.status_code, whole.content) == (200, make_artifact())
    part = web.get(address.path, headers={"Range": "bytes=8-15"})
    assert (part.status_code, part.content) == (206, make_artifact()[8:16])


@pytest.mark.usefixtures("version")
def test_files_url_names_the_other_host(web: Client, settings: LazySettings) -> None:
    settings.FILES_URL = "https://files.example"
    assert web.head(FILE.format("1.0.0"))["Location"].startswith("https://files.example/api/files/")
    # Where there is no other host, or it is this one, the bytes come at once.
    for host in ("http://localhost", ""):
        settings.FILES_URL = host
        client = web if host else Client(SERVER_NAME="testserver")
        answer = client.get(FILE.format("1.0.0"))
        assert (answer.status_code, answer.content) == (200, make_artifact())
        assert answer["X-Repo-Commit"]


def test_link_ends_and_is_for_one_file(web: Client, version: Any, settings: LazySettings, owner: Api) -> None:
    path = urlsplit(web.head(FILE.format("main"))["Location"]).path
    for wrong in (path.replace("/files/", "/files/x"), "/api/files/abc:def:ghi/vector.safetensors"):
        assert web.get(wrong)["X-Error-Code"] == "link.invalid"
    settings.FILE_LINK_SECONDS = -1
    assert web.get(path).status_code == 403
    settings.FILE_LINK_SECONDS = 60
    vector_remove(
        actor=make_user("staff", is_staff=True), vector=version.vector, kind="safety", reason="harm"
    )
    assert web.get(path).status_code == 404
    gone = web.get("/api/models/acme/formality")
    assert (gone.status_code, gone["X-Error-Message"]) == (410, "Access to this resource is disabled.")


def test_what_is_hidden_looks_as_if_it_did_not_exist(web: Client, owner: Api, other: Api) -> None:
    make_vector_version(owner.user, "secret", visibility="private")
    paths = (
        *(
            "/api/models/acme/secret",
            "/api/models/acme/secret/revision/1.0.0",
            "/api/models/acme/secret/refs",
        ),
        *("/api/models/acme/secret/tree/main", "/acme/secret/resolve/main/README.md"),
        "/acme/secret/resolve/1.0.0/vector.safetensors",
    )
    for path in paths:
        for client in (web, other.client):
            answer = client.get(path)
            assert (answer.status_code, answer["X-Error-Code"]) == (404, "RepoNotFound"), path
        assert owner.client.get(path).status_code in (200, 302), path
    assert web.get("/api/models").json() == other.client.get("/api/models?search=secret").json() == []
    assert [model["private"] for model in owner.client.get("/api/models?author=acme").json()] == [True]


@pytest.mark.usefixtures("version")
def test_gated_keeps_back_what_the_vector_does(web: Client) -> None:
    Vector.objects.update(access="gated")
    assert web.get("/api/models/acme/formality").json()["gated"] == "manual"
    assert web.get("/acme/formality/resolve/main/README.md").status_code == 200
    for name in ("vector.safetensors", "conformance.json"):
        answer = web.get(f"/acme/formality/resolve/main/{name}")
        assert (answer.status_code, answer["X-Error-Code"]) == (403, "GatedRepo")


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/models/acme/nothing", "RepoNotFound"),
        ("/api/models/acme/formality/revision/refs/pr/1", "RevisionNotFound"),
        ("/api/models/acme/formality/tree/" + "0" * 40, "RevisionNotFound"),
        ("/api/models/acme/formality/tree/main/folder", "EntryNotFound"),
        ("/acme/formality/resolve/main/..%2f..%2fsecret_key", "EntryNotFound"),
        ("/acme/formality/resolve/%00/README.md", "request.not_found"),
        ("/api/whoami-v2", "request.not_authenticated"),
        ("/api/agent-harnesses", "request.not_found"),
    ],
)
def test_refusals_say_what_the_client_reads(web: Client, path: str, code: str) -> None:
    answer = web.get(path)
    assert (answer.status_code in (401, 404), answer["X-Error-Code"]) == (True, code)


def test_pages_keep_their_addresses(web: Client, owner: Api) -> None:
    """A data set may be called like a word of these paths."""
    version = make_dataset_version(owner.user, "resolve", "public")
    assert web.get(f"/datasets/acme/resolve/versions/{version.number}").status_code == 200


def test_list_costs_two_queries(
    web: Client, owner: Api, django_assert_num_queries: Any, settings: LazySettings
) -> None:
    for seed in range(3):
        make_vector_version(owner.user, f"v{seed}", seed=seed)
    with django_assert_num_queries(2):
        answer = web.get("/api/models?limit=2")
    assert [model["id"] for model in answer.json()] == ["acme/v2", "acme/v1"]
    following = answer["Link"].partition(">")[0].lstrip("<")
    assert [model["id"] for model in web.get(following).json()] == ["acme/v0"]
    assert len(web.get("/api/models?limit=1000").json()) == 3
