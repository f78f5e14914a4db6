"""Datasets over HTTP: check, push, list, read."""

from io import BytesIO
from typing import Any

import pytest

from registry.datasets.models import Dataset, DatasetVersion
from tests.api.conftest import Api
from tests.factories import make_dataset_version, make_pairs_file

PAIRS = make_pairs_file()


def upload(name: str = "pairs.jsonl", data: bytes = PAIRS) -> BytesIO:
    file = BytesIO(data)
    file.name = name
    return file


def test_check_reports_and_stores_nothing(owner: Api) -> None:
    answer = owner.upload("/datasets/check", file=upload())
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"format", "format_label", "digest", "n_pairs", "report", "preview"}
    assert (body["format"], body["n_pairs"], len(body["preview"])) == ("jsonl", 20, 5)
    assert not DatasetVersion.objects.exists()


def test_check_of_two_files_zips_them(owner: Api) -> None:
    lines = [b"".join(b"%s number %d\n" % (word, n) for n in range(20)) for word in (b"kind", b"rude")]
    answer = owner.upload("/datasets/check", file=upload(data=lines[0]), negative_file=upload(data=lines[1]))
    assert answer.json()["format"] == "two_files"


def test_push_makes_version_one(owner: Api) -> None:
    answer = owner.upload("/datasets", name="tone", visibility="public", description="Tone.", file=upload())
    body = answer.json()
    assert answer.status_code == 201
    assert body["reference"] == "acme/tone@1"
    assert body["source_filename"] == "pairs.jsonl"
    assert body["url"] == "http://localhost:8000/datasets/acme/tone/versions/1"
    assert owner.client.get(answer["Location"]).json() == body


def test_push_of_the_same_pairs_gives_the_same_version(owner: Api) -> None:
    first = owner.upload("/datasets", name="tone", file=upload())
    again = owner.upload("/datasets", name="tone", file=upload("other.jsonl"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_push_of_other_pairs_gives_the_next_version(owner: Api) -> None:
    owner.upload("/datasets", name="tone", file=upload())
    answer = owner.upload("/datasets", name="tone", file=upload(data=make_pairs_file(word="style")))
    assert answer.json()["number"] == 2
    assert [v["number"] for v in owner.get("/datasets/acme/tone").json()["versions"]] == [2, 1]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "tone"}, "/file"),
        ({"file": BytesIO(b"x")}, "/name"),
        ({"name": "tone", "file": "not a file"}, "/file"),
        ({"name": "a\0b", "file": BytesIO(PAIRS)}, "/name"),
        ({"name": "tone", "visibility": "secret", "file": BytesIO(PAIRS)}, "/visibility"),
        ({"name": "tone", "description": "x" * 501, "file": BytesIO(PAIRS)}, "/description"),
        ({"name": "tone", "colour": "red", "file": BytesIO(PAIRS)}, "/colour"),
    ],
)
def test_push_with_bad_field_points_to_it(owner: Api, fields: dict[str, Any], pointer: str) -> None:
    answer = owner.upload("/datasets", **fields)
    assert answer.status_code == 422
    assert answer.json()["code"] == "request.invalid"
    assert pointer in [item["pointer"] for item in answer.json()["errors"]]


@pytest.mark.parametrize("name", ["Tone", "-tone", "to ne", "x" * 65, "tone/", "töne"])
def test_push_under_a_bad_name_is_refused(owner: Api, name: str) -> None:
    answer = owner.upload("/datasets", name=name, file=upload())
    assert (answer.status_code, answer.json()["code"]) == (422, "name.invalid")
    assert not Dataset.objects.exists()


def test_push_of_bad_row_names_it(owner: Api) -> None:
    lines = PAIRS.splitlines(keepends=True)
    answer = owner.upload(
        "/datasets", name="tone", file=upload(data=b"".join([*lines[:6], b"{oops\n", *lines[7:]]))
    )
    assert answer.status_code == 422
    assert answer.json()["code"].startswith("dataset.")
    assert "row 7" in answer.json()["detail"]
    assert {"pointer": "/row", "code": answer.json()["code"], "detail": "7"} in answer.json()["errors"]


def test_filename_with_path_and_controls_is_cleaned(owner: Api) -> None:
    answer = owner.upload("/datasets", name="tone", file=upload("..\\evil\x01\u202ename.jsonl"))
    assert answer.json()["source_filename"] == "evilname.jsonl"


def test_list_filters_by_owner_and_words(owner: Api, other: Api, nobody: Api) -> None:
    make_dataset_version(owner=owner.user, name="tone", visibility="public")
    make_dataset_version(owner=other.user, name="style", visibility="public")
    make_dataset_version(owner=other.user, name="hidden")
    names = lambda api, **query: [item["name"] for item in api.get("/datasets", query).json()["items"]]  # noqa: E731
    assert names(nobody) == ["style", "tone"]
    assert names(nobody, owner="acme") == ["tone"]
    assert names(nobody, q="TYL") == ["style"]
    assert names(other, owner="mallory") == ["hidden", "style"]


def test_detail_carries_the_newest_report(nobody: Api, owner: Api) -> None:
    version = make_dataset_version(owner=owner.user, visibility="public")
    body = nobody.get("/datasets/acme/tone-pairs").json()
    assert body["newest"]["report"] == version.report
    assert "report" not in body["versions"][0]
    assert body["newest_number"] == body["n_versions"] == 1


def test_unknown_version_is_not_found(nobody: Api, owner: Api) -> None:
    make_dataset_version(owner=owner.user, visibility="public")
    for number in ("2", "0", "9" * 30, "9" * 5000):
        assert nobody.get(f"/datasets/acme/tone-pairs/versions/{number}").status_code == 404
