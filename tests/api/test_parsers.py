"""Bodies: strict JSON of bounded size, forms whose files are counted while they arrive."""

from io import BytesIO
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.factories import make_pairs_file, make_vector_version


def raw(api: Api, data: bytes, kind: str = "application/json", **headers: str) -> Any:
    return api.client.generic("POST", "/api/v1/runs", data, kind, headers=headers)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_body_that_is_no_json_is_refused(owner: Api, data: bytes) -> None:
    answer = raw(owner, data)
    assert answer.status_code == 400
    assert answer.json()["code"] == "request.parse_error"


@pytest.mark.parametrize("data", [b"null", b"[]", b'"text"', b"3", b"true", b""])
def test_body_that_is_no_object_is_refused(owner: Api, data: bytes) -> None:
    answer = raw(owner, data)
    assert answer.status_code == 422
    assert answer.json()["code"] == "request.invalid"


def test_body_over_the_limit_is_refused(owner: Api, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = raw(owner, b'{"vector": "' + b"x" * 100 + b'"}')
    assert answer.status_code == 413
    assert answer.json()["code"] == "request.too_large"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "garbage"]
)
def test_body_of_another_type_is_refused(owner: Api, kind: str) -> None:
    answer = raw(owner, b"a=b", kind)
    assert answer.status_code == 415
    assert answer.json()["code"] == "request.unsupported_media_type"


def test_json_where_a_form_is_expected_is_refused(owner: Api) -> None:
    assert owner.post("/datasets/check", {"name": "tone"}).status_code == 415


def test_compressed_body_is_refused(owner: Api) -> None:
    answer = raw(owner, b"{}", **{"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert answer.json()["code"] == "request.content_encoding"


def test_compressed_upload_is_refused(owner: Api) -> None:
    fields = {"name": "tone", "file": BytesIO(make_pairs_file())}
    answer = owner.client.post("/api/v1/datasets", fields, headers={"Content-Encoding": "br"})
    assert answer.json()["code"] == "request.content_encoding"


def test_form_without_boundary_is_refused(owner: Api) -> None:
    answer = owner.client.generic("POST", "/api/v1/datasets", b"junk", "multipart/form-data")
    assert answer.status_code == 400
    assert answer.json()["code"] == "request.parse_error"


def test_upload_over_the_limit_is_cut(owner: Api, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 200_000
    answer = owner.upload("/datasets", name="tone", file=BytesIO(b"x" * 200_001))
    assert answer.status_code == 413
    assert answer.json()["code"] == "dataset.file_too_large"


def test_two_files_over_the_limit_together_are_cut(owner: Api, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 200_000
    halves = {"file": BytesIO(b"x" * 150_000), "negative_file": BytesIO(b"y" * 150_000)}
    assert owner.upload("/datasets/check", **halves).status_code == 413


def test_vector_file_over_the_limit_is_cut(owner: Api, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 100_000
    answer = owner.upload("/vectors/inspect", file=BytesIO(b"x" * 200_000))
    assert answer.status_code == 413
    assert answer.json()["code"] == "format.too_large"


def test_third_file_is_refused(owner: Api) -> None:
    files = {name: BytesIO(b"x") for name in ("file", "negative_file", "extra")}
    assert owner.upload("/datasets/check", **files).status_code == 400


def test_form_fields_over_the_limit_are_refused(owner: Api, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = owner.upload("/datasets", name="x" * 2000, file=BytesIO(b"x"))
    assert answer.status_code == 413


def test_unknown_field_is_refused_by_name(owner: Api) -> None:
    answer = owner.post("/runs", {"vector": "v", "publish_verison": "1.0.0"})
    pointers = {item["pointer"] for item in answer.json()["errors"]}
    assert answer.status_code == 422
    assert {"/dataset", "/base_model"} <= pointers or "/publish_verison" in pointers


def test_post_that_takes_no_body_ignores_one(owner: Api) -> None:
    make_vector_version(owner=owner.user)
    assert (
        owner.post("/vectors/acme/formality/versions/1.0.0/unyank").json()["code"]
        == "state.illegal_transition"
    )


def test_body_in_chunks_is_refused(owner: Api) -> None:
    answer = raw(owner, b"", **{"Transfer-Encoding": "chunked"})
    assert (answer.status_code, answer.json()["code"]) == (411, "request.length_required")
