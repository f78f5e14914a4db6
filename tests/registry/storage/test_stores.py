"""One contract for every blob store: a folder, a moto server, and any S3 that `S3_TEST_*` names."""

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.settings.env import S3Config
from registry.storage.blobs import BlobMissingError, BlobStore, BlobStoreError, blob_key
from registry.storage.local import LocalBlobStore
from registry.storage.s3 import S3BlobStore

MEDIA_TYPE = "application/octet-stream"
Maker = Callable[[], BlobStore]


def bucket_at(
    endpoint_url: str | None, key_id: str, secret: str, region: str = "us-east-1", bucket: str = ""
) -> Maker:
    """A maker of stores on one bucket, which is made when no name is given."""
    config = S3Config(bucket or f"test-{uuid.uuid4().hex}", endpoint_url, region, key_id, secret)
    if not bucket:
        S3BlobStore(config).client.create_bucket(Bucket=config.bucket)
    return lambda: S3BlobStore(config)


def named_s3() -> Maker:
    env = os.environ
    return bucket_at(
        env.get("S3_TEST_ENDPOINT_URL") or None,
        env["S3_TEST_ACCESS_KEY_ID"],
        env["S3_TEST_SECRET_ACCESS_KEY"],
        env.get("S3_TEST_REGION", "us-east-1"),
        env["S3_TEST_BUCKET"],
    )


KINDS = ["local", "moto", *(["named"] if os.environ.get("S3_TEST_BUCKET") else [])]


@pytest.fixture(params=KINDS)
def maker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    if request.param == "local":
        yield lambda: LocalBlobStore(tmp_path)
    elif request.param == "moto":
        yield bucket_at(request.getfixturevalue("s3_server"), "any", "any")
    else:
        yield named_s3()


@pytest.fixture
def store(maker: Maker) -> BlobStore:
    return maker()


def blob() -> tuple[str, bytes]:
    data = uuid.uuid4().bytes * 100
    return hashlib.sha256(data).hexdigest(), data


def test_put_then_get_gives_the_bytes(store: BlobStore) -> None:
    sha256, data = blob()
    assert not store.exists(sha256)
    assert store.put(sha256, data, MEDIA_TYPE) is True
    assert store.exists(sha256)
    assert store.get(sha256) == data


def test_second_put_changes_nothing(store: BlobStore) -> None:
    sha256, data = blob()
    store.put(sha256, data, MEDIA_TYPE)
    assert store.put(sha256, data, MEDIA_TYPE) is False
    assert store.get(sha256) == data


def test_get_of_nothing_is_missing(store: BlobStore) -> None:
    with pytest.raises(BlobMissingError):
        store.get(blob()[0])


def test_empty_bytes_are_kept(store: BlobStore) -> None:
    sha256 = hashlib.sha256(b"").hexdigest()
    store.put(sha256, b"", MEDIA_TYPE)
    assert store.get(sha256) == b""


def test_sixteen_writers_have_one_winner(maker: Maker) -> None:
    sha256, data = blob()
    stores = [maker() for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        written = list(pool.map(lambda store: store.put(sha256, data, MEDIA_TYPE), stores))
    assert written.count(True) == 1
    assert stores[0].get(sha256) == data


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n"])
def test_name_that_is_no_digest_is_refused(store: BlobStore, name: str) -> None:
    for call in (store.get, store.exists, lambda sha256: store.put(sha256, b"", MEDIA_TYPE)):
        with pytest.raises(ValueError, match="sha256"):
            call(name)


def test_s3_out_of_reach_is_an_outage() -> None:
    config = S3Config("none", "http://127.0.0.1:1", "us-east-1", "any", "any")
    store = S3BlobStore(config)
    for call in (
        lambda: store.get("a" * 64),
        lambda: store.exists("a" * 64),
        lambda: store.put("a" * 64, b"", "x/y"),
    ):
        with pytest.raises(BlobStoreError):
            call()


def test_s3_without_the_bucket_is_an_outage(s3_server: str) -> None:
    store = S3BlobStore(S3Config("nobody-made-this", s3_server, "us-east-1", "any", "any"))
    for call in (lambda: store.get("a" * 64), lambda: store.put("a" * 64, b"", MEDIA_TYPE)):
        with pytest.raises(BlobStoreError):
            call()


def test_folder_that_cannot_be_written_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where the folder should be")
    store = LocalBlobStore(tmp_path)
    for call in (lambda: store.get("a" * 64), lambda: store.put("a" * 64, b"", MEDIA_TYPE)):
        with pytest.raises(BlobStoreError):
            call()


def test_folder_keeps_no_unfinished_files(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path)
    sha256, data = blob()
    store.put(sha256, data, MEDIA_TYPE)
    store.put(sha256, data, MEDIA_TYPE)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / blob_key(sha256)]
