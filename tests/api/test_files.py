"""Downloads: validators, ranges, digests, caches. The file is a real one from the blob store."""

import base64
import hashlib
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.factories import make_artifact, make_dataset_version, make_vector_version

PATH = "/vectors/acme/formality/versions/1.0.0/download"
DATA = make_artifact()
HEX = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def version(owner: Api) -> Any:
    return make_vector_version(owner=owner.user)


@pytest.fixture
def private(owner: Api) -> Any:
    return make_vector_version(owner=owner.user, visibility="private")


def digest_header(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


@pytest.mark.usefixtures("version")
def test_download_gives_bytes_and_digests(nobody: Api) -> None:
    answer = nobody.get(PATH)
    assert answer.content == DATA
    assert answer["ETag"] == f'"{HEX}"'
    assert answer["X-Bearing-Digest"] == f"sha256:{HEX}"
    assert answer["Content-Digest"] == answer["Repr-Digest"] == digest_header(DATA)
    assert answer["Content-Type"] == "application/vnd.bearing.vector+safetensors"
    assert answer["Content-Disposition"] == 'attachment; filename="acme-formality-1.0.0.safetensors"'
    assert answer["Accept-Ranges"] == "bytes"


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize("known", [f'"{HEX}"', f'W/"{HEX}"', f'"other", "{HEX}"', "*"])
def test_download_that_the_caller_has_is_304(nobody: Api, known: str) -> None:
    answer = nobody.get(PATH, **{"If-None-Match": known})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer["ETag"] == f'"{HEX}"'


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize("known", ['"other"', "garbage", HEX])
def test_download_that_the_caller_lacks_is_200(nobody: Api, known: str) -> None:
    assert nobody.get(PATH, **{"If-None-Match": known}).status_code == 200


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=10-", slice(10, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-999999", slice(5, None)),
        ("bytes=-999999", slice(0, None)),
    ],
)
def test_range_gives_the_part(nobody: Api, header: str, part: slice) -> None:
    answer = nobody.get(PATH, Range=header)
    start, stop, _ = part.indices(len(DATA))
    assert answer.status_code == 206
    assert answer.content == DATA[part]
    assert answer["Content-Range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert answer["Content-Digest"] == digest_header(DATA[part])
    assert answer["Repr-Digest"] == digest_header(DATA)


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize("header", ["bytes=999999-", "bytes=-0"])
def test_range_outside_the_file_is_416(nobody: Api, header: str) -> None:
    answer = nobody.get(PATH, Range=header)
    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{len(DATA)}"
    assert answer.json()["code"] == "range.not_satisfiable"


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize("header", ["bytes=0-1,3-4", "bytes=9-2", "items=0-1", "bytes=-", "bytes=a-b", "x"])
def test_range_that_is_not_understood_is_ignored(nobody: Api, header: str) -> None:
    answer = nobody.get(PATH, Range=header)
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.usefixtures("version")
def test_range_of_an_older_file_is_ignored(nobody: Api) -> None:
    assert nobody.get(PATH, Range="bytes=0-1", **{"If-Range": '"old"'}).status_code == 200
    assert nobody.get(PATH, Range="bytes=0-1", **{"If-Range": f'"{HEX}"'}).status_code == 206


@pytest.mark.usefixtures("version")
def test_head_gives_headers_alone(nobody: Api) -> None:
    answer = nobody.head(PATH)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Content-Length"] == str(len(DATA))
    assert answer["ETag"] == f'"{HEX}"'


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    ("path", "caching"),
    [
        (PATH, "public, max-age=60, stale-while-revalidate=600"),
        (PATH.replace("1.0.0", "latest"), "public, max-age=60, stale-while-revalidate=600"),
        (PATH.replace("1.0.0", f"sha256:{HEX}"), "public, max-age=31536000, immutable"),
        (f"/blobs/sha256:{HEX}", "public, max-age=31536000, immutable"),
    ],
)
def test_public_file_is_cached_as_long_as_its_name_holds(nobody: Api, path: str, caching: str) -> None:
    answer = nobody.get(path)
    assert answer.content == DATA
    assert answer["Cache-Control"] == caching


@pytest.mark.usefixtures("private")
def test_private_file_is_never_cached(owner: Api) -> None:
    for path in (PATH, f"/blobs/sha256:{HEX}", PATH.replace("1.0.0", f"sha256:{HEX}")):
        for headers in ({}, {"If-None-Match": f'"{HEX}"'}, {"Range": "bytes=0-3"}):
            assert owner.get(path, **headers)["Cache-Control"] == "private, no-store"


def test_dataset_download_gives_canonical_lines(nobody: Api, owner: Api) -> None:
    version = make_dataset_version(owner=owner.user, visibility="public")
    answer = nobody.get("/datasets/acme/tone-pairs/versions/1/download", Range="bytes=0-0")
    assert (answer.status_code, answer.content) == (206, b"{")
    assert answer["Content-Type"] == "application/jsonl"
    assert answer["X-Bearing-Digest"] == version.digest


def test_damaged_file_is_not_sent(nobody: Api, version: Any, blob_path: Any) -> None:
    path = blob_path(HEX)
    path.write_bytes(DATA[:-1] + b"\0")
    answer = nobody.get(PATH)
    path.write_bytes(DATA)
    assert answer.status_code == 500
    assert answer.json()["code"] == "blob.corrupt"


def test_lost_file_is_reported(nobody: Api, version: Any, blob_path: Any) -> None:
    blob_path(HEX).unlink()
    answer = nobody.get(PATH)
    blob_path(HEX).write_bytes(DATA)
    assert answer.json()["code"] == "blob.missing"
