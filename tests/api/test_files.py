"""Downloads: validators, ranges, digests, caches. The file is a real one from the blob store."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from registry.settings.env import S3Config
from registry.storage.blobs import blob_key
from registry.storage.chosen import blob_store
from registry.storage.s3 import S3BlobStore
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


@pytest.fixture
def behind_nginx(settings: Any) -> None:
    settings.SERVE_FILES = "accel"


@pytest.mark.usefixtures("version", "behind_nginx")
def test_behind_nginx_the_app_says_where_the_bytes_are(nobody: Api) -> None:
    for headers in ({}, {"Range": "bytes=0-3"}, {"Range": "bytes=0-3", "If-Range": f'"{HEX}"'}):
        answer = nobody.get(PATH, **headers)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer["X-Accel-Redirect"] == f"/_blobs/{blob_key(HEX)}"
        assert answer["ETag"] == f'"{HEX}"'
        assert answer["Repr-Digest"] == digest_header(DATA)
        assert not answer.has_header("Content-Digest")


@pytest.mark.usefixtures("version", "behind_nginx")
def test_behind_nginx_the_app_answers_what_nginx_would_get_wrong(nobody: Api) -> None:
    assert nobody.get(PATH, **{"If-None-Match": f'"{HEX}"'}).status_code == 304
    assert nobody.get(PATH, Range="bytes=999999-").status_code == 416
    assert nobody.head(PATH)["Content-Length"] == str(len(DATA))
    # Ranges that the app does not grant: nginx would.
    for headers in ({"Range": "bytes=0-1", "If-Range": '"old"'}, {"Range": "bytes=0-1,4-5"}):
        answer = nobody.get(PATH, **headers)
        assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.usefixtures("version", "behind_nginx")
def test_nginx_is_told_where_a_file_lies_and_for_how_long_it_may_give_it(nobody: Api, owner: Api) -> None:
    ask = {"X-Bearing-Ask": "1"}
    digest = f"/blobs/sha256:{HEX}"
    by_name = (PATH, PATH.replace("1.0.0", f"sha256:{HEX}"))
    for api, path, seconds in (
        (nobody, digest, "60"),
        # Those are counted, by address.
        *((nobody, path, None) for path in by_name),
        *((owner, path, "5") for path in (digest, *by_name)),
    ):
        answer = api.get(path, **ask)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer["X-Bearing-File"] == f"/_blobs/{blob_key(HEX)}"
        assert not answer.has_header("X-Accel-Redirect")
        assert (answer["ETag"], answer["Repr-Digest"]) == (f'"{HEX}"', digest_header(DATA))
        assert answer.get("X-Accel-Expires") == seconds, path
    for visibility, seen in (("unlisted", 204), ("private", 403)):
        owner.patch("/vectors/acme/formality", {"visibility": visibility})
        answer = nobody.get(digest, **ask)
        assert (answer.status_code, answer.has_header("X-Accel-Expires")) == (seen, False)
        assert owner.get(digest, **ask)["Cache-Control"] == "private, no-store"


@pytest.mark.usefixtures("version", "behind_nginx")
def test_nginx_is_told_nothing_about_what_is_no_file(nobody: Api) -> None:
    for path in (PATH.replace("1.0.0", "9.0.0"), f"{PATH}?format=gguf", f"{PATH}?format=nothing"):
        answer = nobody.get(path, **{"X-Bearing-Ask": "1"})
        assert (answer.status_code, answer["X-Bearing-File"]) == (403, "")
        assert not answer.has_header("X-Accel-Expires")


@pytest.fixture
def on_s3(settings: Any, s3_server: str) -> Iterator[S3BlobStore]:
    """Files are in a bucket, and their addresses name another host than the service's own calls."""
    outside = s3_server.replace("127.0.0.1", "localhost")
    settings.S3 = S3Config("shown", s3_server, "us-east-1", "any", "any", outside)
    settings.SERVE_FILES = "redirect"
    blob_store.cache_clear()
    store = blob_store()
    assert isinstance(store, S3BlobStore)
    store.client.create_bucket(Bucket="shown")
    yield store
    blob_store.cache_clear()


def test_store_sends_the_bytes_by_a_signed_address_that_nobody_keeps(
    on_s3: S3BlobStore, nobody: Api, owner: Api
) -> None:
    make_vector_version(owner=owner.user)
    answer = nobody.get(PATH)
    assert (answer.status_code, answer.content) == (302, b"")
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["X-Bearing-Digest"] == f"sha256:{HEX}"
    assert "brg_" not in answer["Location"]
    sent = httpx.get(answer["Location"], headers={"Range": "bytes=2-9"}, trust_env=False)
    assert sent.url.host == "localhost"
    assert (sent.status_code, sent.content) == (206, DATA[2:10])
    assert sent.headers["Content-Disposition"] == 'attachment; filename="acme-formality-1.0.0.safetensors"'
    assert sent.headers["Content-Type"] == "application/vnd.bearing.vector+safetensors"
    assert int(parse_qs(sent.url.query.decode())["X-Amz-Expires"][0]) <= 60
    assert nobody.get(PATH, **{"If-None-Match": f'"{HEX}"'}).status_code == 304
    assert nobody.head(PATH).status_code == 200


@pytest.mark.parametrize("who", ["nobody", "other"])
def test_no_signed_address_is_made_before_access_is_decided(
    on_s3: S3BlobStore, owner: Api, who: str, request: pytest.FixtureRequest
) -> None:
    make_vector_version(owner=owner.user, visibility="private")
    answer = request.getfixturevalue(who).get(PATH)
    assert (answer.status_code, answer.has_header("Location")) == (404, False)
    assert owner.get(PATH).status_code == 302
