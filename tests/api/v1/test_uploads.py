"""Uploads over HTTP, and data sets made of them."""

import base64
import hashlib
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import Api
from tests.factories import make_pairs_file

PAIRS = make_pairs_file(60)
PART = 4096


@pytest.fixture(autouse=True)
def small_parts(settings: Any) -> None:
    settings.UPLOAD_PART_BYTES = {"s3": PART, "app": PART}


def announced(api: Api, data: bytes = PAIRS, **changes: Any) -> Any:
    body = {
        "sha256": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "size_bytes": len(data),
        "purpose": "dataset",
        "filename": "pairs.jsonl",
    }
    return api.post("/uploads", {**body, **changes})


def put(api: Api, url: str, data: bytes, kind: str = "application/octet-stream", **headers: str) -> Any:
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    path = url.removeprefix("http://localhost:8000")
    return api.client.generic(
        "PUT", path, data, kind, headers={"Content-Digest": f"sha-256=:{digest}:", **headers}
    )


def uploaded(api: Api, data: bytes = PAIRS, **changes: Any) -> str:
    upload = announced(api, data, **changes).json()
    for part in upload["parts"]["missing"]:
        start = (part["number"] - 1) * PART
        assert put(api, part["url"], data[start : start + part["size_bytes"]]).status_code == 200
    done = api.client.post(upload["complete_url"])
    assert (done.status_code, done.json()["state"]) == (200, "complete")
    return str(upload["id"])


def test_upload_in_parts_becomes_a_data_set(owner: Api) -> None:
    answer = announced(owner)
    upload = answer.json()
    assert answer.status_code == 201
    assert (upload["state"], upload["method"], upload["parts"]["size_bytes"]) == ("pending", "app", PART)
    assert upload["parts"]["count"] == len(upload["parts"]["missing"]) == -(-len(PAIRS) // PART)
    first = put(owner, upload["parts"]["missing"][0]["url"], PAIRS[:PART])
    digest = f"sha256:{hashlib.sha256(PAIRS[:PART]).hexdigest()}"
    assert first.json() == {"number": 1, "size_bytes": PART, "digest": digest}
    again = owner.client.get(answer["Location"]).json()["parts"]
    assert again["received"] == [first.json() | {"url": upload["parts"]["missing"][0]["url"]}]
    assert again["missing"] == upload["parts"]["missing"][1:]

    pushed = owner.post("/datasets", {"name": "tone", "upload": uploaded(owner), "visibility": "public"})

    assert pushed.status_code == 201
    assert (pushed.json()["reference"], pushed.json()["n_pairs"]) == ("acme/tone@1", 60)
    assert pushed.json()["source_filename"] == "pairs.jsonl"
    same = owner.post("/datasets", {"name": "tone", "upload": uploaded(owner)})
    assert (same.status_code, same.json()) == (200, pushed.json())


def test_two_uploads_whose_lines_belong_together(owner: Api) -> None:
    lines = [b"".join(b"%s number %d\n" % (word, n) for n in range(20)) for word in (b"kind", b"rude")]
    positive, negative = (uploaded(owner, data) for data in lines)
    answer = owner.post("/datasets", {"name": "tone", "upload": positive, "negative_upload": negative})
    assert answer.json()["source_format"] == "two_files"


def test_file_that_is_no_data_set_is_refused_as_in_a_form(owner: Api) -> None:
    answer = owner.post("/datasets", {"name": "tone", "upload": uploaded(owner, b"x" * 5000)})
    assert answer.status_code == 422
    assert answer.json()["code"].startswith("dataset.")


@pytest.mark.parametrize(
    ("kind", "headers", "status", "code"),
    [
        ("application/json", {}, 415, "request.unsupported_media_type"),
        ("application/octet-stream", {"Content-Encoding": "gzip"}, 415, "request.content_encoding"),
        ("application/octet-stream", {"Content-Digest": "md5=:x:"}, 422, "upload.part_digest"),
    ],
)
def test_part_of_another_kind_is_refused(
    owner: Api, kind: str, headers: dict[str, str], status: int, code: str
) -> None:
    url = announced(owner).json()["parts"]["missing"][0]["url"]
    answer = put(owner, url, PAIRS[:PART], kind, **headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert put(owner, url, b"x" * (PART + 1)).json()["code"] == "request.too_large"
    assert put(owner, url, b"").json()["code"] == "upload.part_size"


def test_list_asks_once_whatever_its_length(
    owner: Api, other: Api, django_assert_max_num_queries: Any
) -> None:
    for n in range(3):
        announced(owner, b"%d" % n)
    with django_assert_max_num_queries(4) as asked:
        items = owner.get("/uploads").json()["items"]
    assert [item["size_bytes"] for item in items] == [1, 1, 1]
    assert isinstance(asked, CaptureQueriesContext)
    assert other.get("/uploads").json()["items"] == []
    gone = owner.send("DELETE", f"/uploads/{items[0]['id']}")
    assert (gone.status_code, owner.get(f"/uploads/{items[0]['id']}").json()["state"]) == (204, "aborted")
