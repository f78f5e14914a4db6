"""Bytes by digest: what is written is read back, and what is read is compared."""

import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from registry.storage.blobs import BlobCorruptError, BlobMissingError, blob_key
from registry.storage.chosen import blob_store
from registry.storage.local import LocalBlobStore
from registry.storage.models import Blob
from registry.storage.s3 import S3BlobStore
from registry.storage.services import blob_put, blob_read
from tests.registry.storage.test_stores import bucket_at


def fresh() -> bytes:
    return uuid.uuid4().bytes


def place(sha256: str) -> Path:
    return Path(settings.BLOB_STORE_PATH) / blob_key(sha256)


@pytest.mark.django_db
def test_put_stores_bytes_under_their_digest() -> None:
    data = fresh()
    blob = blob_put(data=data, media_type="text/plain")
    assert blob.digest == str(blob) == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert (blob.state, blob.size_bytes) == (Blob.State.STORED, 16)
    assert blob_read(sha256=blob.sha256) == data


@pytest.mark.django_db
def test_put_twice_gives_one_row() -> None:
    data = fresh()
    assert blob_put(data=data, media_type="text/plain") == blob_put(data=data, media_type="text/html")
    assert Blob.objects.get().media_type == "text/plain"


@pytest.mark.django_db
def test_put_after_a_crash_finishes_the_row() -> None:
    data = fresh()
    sha256 = hashlib.sha256(data).hexdigest()
    Blob.objects.create(sha256=sha256, size_bytes=len(data), media_type="text/plain")
    blob_store().put(sha256, data, "text/plain")
    assert blob_put(data=data, media_type="text/plain").state == Blob.State.STORED


@pytest.mark.django_db
def test_put_again_brings_lost_bytes_back() -> None:
    data = fresh()
    blob = blob_put(data=data, media_type="text/plain")
    place(blob.sha256).unlink()
    blob_put(data=data, media_type="text/plain")
    assert blob_read(sha256=blob.sha256) == data


@pytest.mark.django_db
def test_put_onto_other_bytes_is_refused_and_leaves_the_row_pending() -> None:
    data = fresh()
    sha256 = hashlib.sha256(data).hexdigest()
    blob_store().put(sha256, b"something else", "text/plain")
    with pytest.raises(BlobCorruptError):
        blob_put(data=data, media_type="text/plain")
    assert Blob.objects.get().state == Blob.State.PENDING


@pytest.mark.django_db
def test_read_of_damaged_bytes_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    blob = blob_put(data=fresh(), media_type="text/plain")
    place(blob.sha256).write_bytes(b"flipped")
    with pytest.raises(BlobCorruptError):
        blob_read(sha256=blob.sha256)
    assert "blob corrupt" in caplog.text


def test_read_of_nothing_is_missing() -> None:
    with pytest.raises(BlobMissingError):
        blob_read(sha256="0" * 64)


@pytest.mark.django_db(transaction=True)
def test_put_by_eight_at_once_gives_one_stored_row() -> None:
    data = fresh()

    def put(_: int) -> str:
        try:
            return blob_put(data=data, media_type="text/plain").state
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put, range(8))) == {Blob.State.STORED}
    assert Blob.objects.count() == 1


@pytest.mark.django_db
def test_store_is_a_bucket_when_the_settings_name_one(settings: Any, s3_server: str) -> None:
    made = bucket_at(s3_server, "any", "any")()
    assert isinstance(made, S3BlobStore)
    assert isinstance(blob_store(), LocalBlobStore)
    settings.S3 = made.config
    blob_store.cache_clear()
    try:
        blob = blob_put(data=b"to a bucket", media_type="text/plain")
        assert made.get(blob.sha256) == blob_read(sha256=blob.sha256) == b"to a bucket"
    finally:
        blob_store.cache_clear()
