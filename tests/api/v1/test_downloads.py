"""Other forms of a file, and the counts of downloads, over REST."""

from collections.abc import Callable
from typing import Any

import pytest

from registry.core.valkey import PREFIX, valkey
from registry.serving.downloads import downloads_flush
from registry.serving.models import Conversion
from steering_core.formats.engines import read_any
from tests.api.conftest import Api
from tests.factories import make_vector_version
from workers.tasks.conversion import convert

VECTOR = "/vectors/acme/formality"
PATH = f"{VECTOR}/versions/1.0.0/download"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No counts of other tests, and a worker on the test's own connection."""
    monkeypatch.setattr("workers.tasks.conversion.close_old_connections", lambda: None)
    for key in valkey().scan_iter(f"{PREFIX}downloads:*"):
        valkey().delete(key)


@pytest.fixture
def version(owner: Api) -> Any:
    return make_vector_version(owner=owner.user)


def work() -> None:
    """What a worker does once it is rung for."""
    for row in Conversion.objects.filter(state="waiting"):
        convert(str(row.pk))


@pytest.mark.usefixtures("version")
def test_first_request_for_a_form_is_202_and_the_next_has_the_file(nobody: Api) -> None:
    answer = nobody.get(f"{PATH}?format=gguf")
    assert (answer.status_code, answer.json()) == (202, {"format": "llama.cpp", "state": "waiting"})
    assert answer["Location"].endswith("/versions/1.0.0/download?format=gguf")
    assert (answer["Retry-After"], answer["Cache-Control"]) == ("1", "private, no-store")

    work()
    answer = nobody.get(f"{PATH}?format=gguf")
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == 'attachment; filename="acme-formality-1.0.0.gguf"'
    assert read_any(answer.content, "a.gguf")[0].name == "glp"
    assert nobody.get(f"{PATH}?format=gguf", **{"If-None-Match": answer["ETag"]}).status_code == 304


@pytest.mark.usefixtures("version")
def test_form_of_two_files_gives_both_under_one_name(nobody: Api) -> None:
    nobody.get(f"{PATH}?format=python")
    work()
    names = [
        nobody.get(f"{PATH}?format=python{part}")["Content-Disposition"] for part in ("", "&part=safetensors")
    ]
    assert names == [f'attachment; filename="acme_formality_1_0_0.{end}"' for end in ("py", "safetensors")]
    answer = nobody.get(f"{PATH}?format=python&part=json")
    assert (answer.status_code, answer.json()["code"]) == (404, "conversion.part_not_found")


@pytest.mark.usefixtures("version")
def test_form_that_cannot_say_the_vector_is_refused_by_its_engine(nobody: Api) -> None:
    nobody.get(f"{PATH}?format=ds4")
    work()
    answer = nobody.get(f"{PATH}?format=ds4")
    assert (answer.status_code, answer.json()["code"]) == (422, "engine.operation")
    assert nobody.get(f"{PATH}?format=onnx").json()["code"] == "request.invalid"


def test_form_of_a_private_file_is_its_owners_alone(owner: Api, other: Api, nobody: Api) -> None:
    make_vector_version(owner=owner.user, visibility="private")
    for api in (other, nobody):
        assert api.get(f"{PATH}?format=gguf").status_code == 404
    assert not Conversion.objects.exists()
    assert owner.get(f"{PATH}?format=gguf").status_code == 202
    work()
    assert owner.get(f"{PATH}?format=gguf")["Cache-Control"] == "private, no-store"


@pytest.mark.usefixtures("version")
def test_forms_lists_every_engine_with_what_is_made(nobody: Api) -> None:
    for format in ("gguf", "python", "ds4"):
        nobody.get(f"{PATH}?format={format}")
    work()
    items = {item["format"]: item for item in nobody.get(f"{VECTOR}/versions/1.0.0/formats").json()["items"]}
    assert items["llama.cpp"]["state"] == "done"
    assert [file["suffix"] for file in items["python"]["files"]] == [".py", ".safetensors"]
    assert (items["ds4"]["state"], bool(items["ds4"]["reason"])) == ("refused", True)
    assert (items["svec"]["state"], items["svec"]["files"]) == ("none", [])
    beside = items["python"]["files"][1]
    got = nobody.client.get(beside["url"])
    assert got["X-Bearing-Digest"] == beside["digest"]


@pytest.mark.usefixtures("version")
def test_what_counts_is_a_granted_get_from_the_beginning(nobody: Api, caller: Callable[..., Api]) -> None:
    user = caller("mallory")
    etag = nobody.head(PATH)["ETag"]
    for api in (nobody, user):
        api.head(PATH)
        api.get(PATH, **{"If-None-Match": etag})
        api.get(PATH, Range="bytes=10-")
        api.get(f"{VECTOR}/versions/9.9.9/download")
        api.get(f"{VECTOR}/versions/1.0.0/conformance")
        api.get(f"{PATH}?format=glp")  # 202
    assert downloads_flush() == 0

    for api in (nobody, nobody, user, user):
        api.get(PATH)
    nobody.get(PATH, Range="bytes=0-9")
    assert downloads_flush() == 2


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Bearing-CI": "1"},
        {"X-Bearing-CI": "true"},
        {"User-Agent": "github-actions/2"},
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"},
    ],
)
def test_builds_and_crawlers_are_counted_apart(nobody: Api, headers: dict[str, str]) -> None:
    nobody.get(PATH, **headers)
    nobody.get(PATH, **{"X-Bearing-CI": "0", "User-Agent": "bearing/0.1 httpx"})
    downloads_flush()
    body = nobody.get(f"{VECTOR}/downloads?days=2").json()
    assert (body["total"], body["last_30_days"], body["versions"]) == (1, 1, {"1.0.0": 1})
    assert [(day["downloads"], day["ci"]) for day in body["days"]] == [(0, 0), (1, 1)]


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize("days", ["0", "367", "x"])
def test_series_of_a_strange_length_is_refused(nobody: Api, days: str) -> None:
    assert nobody.get(f"{VECTOR}/downloads?days={days}").status_code == 422


def test_counts_of_a_private_vector_are_its_owners(owner: Api, nobody: Api) -> None:
    make_vector_version(owner=owner.user, visibility="private")
    assert nobody.get(f"{VECTOR}/downloads").status_code == 404
    assert owner.get(f"{VECTOR}/downloads").json()["total"] == 0


@pytest.mark.usefixtures("version")
def test_vector_and_search_say_the_totals(nobody: Api) -> None:
    nobody.get(PATH)
    downloads_flush()
    wanted = {"total": 1, "last_30_days": 1}
    assert nobody.get(VECTOR).json()["downloads"] == wanted
    assert nobody.get("/vectors").json()["items"][0]["downloads"] == wanted
