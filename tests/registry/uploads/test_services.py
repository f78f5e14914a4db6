"""Uploads in parts, in a folder and in a bucket: in any order, stopped between, completed twice at once."""

import base64
import hashlib
import secrets
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from registry.audit.models import AuditEvent
from registry.core.errors import ConflictError, InvalidError, NotFoundError, QuotaExceededError, RegistryError
from registry.settings.env import S3Config
from registry.storage import chosen
from registry.storage.blobs import BlobMissingError
from registry.storage.models import Blob
from registry.storage.s3 import S3BlobStore
from registry.storage.s3_staging import S3Staging
from registry.storage.services import blob_put, blob_read
from registry.uploads.expiry import KEPT, uploads_expire
from registry.uploads.models import Upload
from registry.uploads.selectors import upload_blob, upload_get, upload_progress
from registry.uploads.services import (
    Announcement,
    clean_filename,
    upload_abort,
    upload_complete,
    upload_open,
    upload_part_put,
)
from registry.uploads.states import UploadState
from tests.factories import make_artifact, make_dataset_version, make_pairs_file, make_vector_version

PART = 64
few = hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def small_parts(settings: Any) -> None:
    settings.UPLOAD_PART_BYTES = {"s3": PART, "app": PART}


@pytest.fixture
def bucket(s3_server: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> S3Staging:
    """Parts go to a bucket; blobs stay in their folder."""
    config = S3Config(f"test-{uuid.uuid4().hex}", s3_server, "us-east-1", "any", "any")
    store = S3Staging(S3BlobStore(config))
    store.store.client.create_bucket(Bucket=config.bucket)
    for module in ("selectors", "services", "expiry"):
        monkeypatch.setattr(f"registry.uploads.{module}.staging", lambda: store)
    settings.UPLOAD_METHOD = "s3"
    return store


def content(n_parts: int = 3) -> bytes:
    return secrets.token_bytes(PART * (n_parts - 1) + 17)


def announced(data: bytes, **changes: Any) -> Announcement:
    fields = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data), "purpose": "dataset"}
    return Announcement(**{**fields, **changes})


def begun(owner: Any, data: bytes) -> Upload:
    return upload_open(actor=owner, file=announced(data))


def part_of(data: bytes, number: int) -> bytes:
    return data[(number - 1) * PART : number * PART]


def digest_of(part: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(part).digest()).decode()}:"


def send(owner: Any, upload: Upload, data: bytes, *numbers: int) -> None:
    for number in numbers or range(1, upload.n_parts + 1):
        part = part_of(data, number)
        if upload.method == "s3":
            links = {one.number: one.link for one in upload_progress(upload=upload).missing}
            link = links.get(number) or chosen_link(upload, number, len(part))
            assert httpx.put(link, content=part).status_code == 200
        else:
            put(owner, upload, number, part)


def chosen_link(upload: Upload, number: int, size_bytes: int) -> str:
    from registry.uploads.selectors import staging

    return staging().link(str(upload.pk), number, size_bytes, seconds=60) or ""


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(RegistryError) as caught:
        call()
    return caught.value.code


def put(owner: Any, upload: Upload, number: int, data: bytes, digest: str | None = None) -> Any:
    return upload_part_put(
        actor=owner,
        upload_id=str(upload.pk),
        number=number,
        data=data,
        content_digest=digest_of(data) if digest is None else digest,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("way", ["app", "s3"])
def test_upload_survives_a_stop_between_parts_and_a_wrong_part(
    owner: Any, way: str, request: pytest.FixtureRequest
) -> None:
    if way == "s3":
        request.getfixturevalue("bucket")
    data = content(4)
    upload = begun(owner, data)
    assert (upload.state, upload.n_parts, upload.method) == ("pending", 4, way)

    # Two arrive, one of them wrong, and the sender dies; another one asks what is missing.
    send(owner, upload, data, 4)
    send(owner, upload, data[:PART] + b"x" * PART + data[2 * PART :], 2)
    again = upload_get(viewer=owner, upload_id=str(upload.pk))
    progress = upload_progress(upload=again)
    assert [part.number for part in progress.received] == [2, 4]
    assert [part.number for part in progress.missing] == [1, 3]
    assert all(bool(part.link) == (way == "s3") for part in progress.missing)
    assert code_of(lambda: upload_complete(actor=owner, upload_id=str(upload.pk))) == "upload.parts_missing"

    send(owner, upload, data, 1, 3)
    wrong = code_of(lambda: upload_complete(actor=owner, upload_id=str(upload.pk)))
    assert wrong == "upload.digest_mismatch"
    shown = {part.number: part.digest for part in upload_progress(upload=again).received}
    method = "md5" if way == "s3" else "sha256"
    mine = {n: f"{method}:{hashlib.new(method, part_of(data, n)).hexdigest()}" for n in range(1, 5)}
    assert [n for n in mine if mine[n] != shown[n]] == [2]

    send(owner, upload, data, 2)
    done = upload_complete(actor=owner, upload_id=str(upload.pk))
    assert upload_complete(actor=owner, upload_id=str(upload.pk)).blob == done.blob
    assert blob_read(sha256=done.sha256) == data
    assert upload_blob(viewer=owner, upload_id=str(done.pk), purpose="dataset").blob == done.blob
    with pytest.raises(BlobMissingError):
        staged(upload, 1)
    actions = (
        AuditEvent.objects.filter(subject=str(upload.pk)).order_by("id").values_list("action", flat=True)
    )
    assert list(actions) == ["upload.opened", "upload.completed"]


def staged(upload: Upload, number: int) -> bytes:
    from registry.uploads.selectors import staging

    return staging().read(str(upload.pk), number)


@pytest.mark.django_db
@few
@given(order=st.lists(st.integers(1, 4), max_size=12))
def test_parts_in_any_order_and_number_give_the_file_once_all_are_there(owner: Any, order: list[int]) -> None:
    data = content(4)
    upload = begun(owner, data)
    for number in order:
        send(owner, upload, data, number)

    missing = [part.number for part in upload_progress(upload=upload).missing]
    assert missing == sorted({1, 2, 3, 4} - set(order))
    if missing:
        send(owner, upload, data, *missing)
    assert blob_read(sha256=upload_complete(actor=owner, upload_id=str(upload.pk)).sha256) == data


@pytest.mark.django_db(transaction=True)
def test_completes_at_once_give_one_result(owner: Any) -> None:
    data = content()
    upload = begun(owner, data)
    send(owner, upload, data)

    def complete(_: int) -> str:
        try:
            return str(upload_complete(actor=owner, upload_id=str(upload.pk)).state)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(complete, range(4))) == {"complete"}
    assert AuditEvent.objects.filter(action="upload.completed").count() == 1


@pytest.mark.django_db
def test_stored_file_is_no_news_to_who_may_not_read_it(owner: Any, other: Any) -> None:
    private = make_dataset_version(owner, "tone", data=make_pairs_file())
    pairs = blob_read(sha256=private.blob_id)
    vector = make_vector_version(owner, visibility="private")
    files = [announced(pairs), announced(make_artifact(), purpose="vector")]
    hidden = content()
    blob_put(data=hidden, media_type="x/y")

    assert {upload_open(actor=owner, file=file).state for file in files} == {"complete"}
    assert {upload_open(actor=other, file=file).state for file in files} == {"pending"}
    assert upload_open(actor=owner, file=announced(hidden)).state == "pending"

    vector.vector.visibility = "public"
    vector.vector.save()
    assert upload_open(actor=other, file=files[1]).state == "complete"
    # Who sends the bytes has them.
    upload = begun(other, hidden)
    send(other, upload, hidden)
    assert upload_complete(actor=other, upload_id=str(upload.pk)).state == "complete"
    assert begun(other, hidden).state == "complete"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sha256": "md5:abc"}, "upload.digest"),
        ({"sha256": "A" * 64}, "upload.digest"),
        ({"size_bytes": 0}, "upload.size"),
        ({"size_bytes": 10**12}, "upload.size"),
        ({"purpose": "virus"}, "upload.purpose"),
    ],
)
def test_announcement_that_cannot_be_meant_is_refused(owner: Any, change: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        upload_open(actor=owner, file=announced(content(), **change))
    assert caught.value.code == code
    assert not Upload.objects.exists()


@pytest.mark.django_db
def test_part_that_is_not_what_it_should_be_is_refused(owner: Any, other: Any) -> None:
    data = content()
    upload = begun(owner, data)
    first = part_of(data, 1)

    assert code_of(lambda: put(owner, upload, 0, first)) == "upload.part_not_found"
    assert code_of(lambda: put(owner, upload, 4, first)) == "upload.part_not_found"
    assert code_of(lambda: put(owner, upload, 1, first[:-1])) == "upload.part_size"
    assert code_of(lambda: put(owner, upload, 3, first)) == "upload.part_size"
    assert code_of(lambda: put(owner, upload, 1, first, "")) == "upload.part_digest"
    assert code_of(lambda: put(owner, upload, 1, first, digest_of(b"other"))) == "upload.part_digest"
    assert code_of(lambda: put(other, upload, 1, first)) == "upload.not_found"
    assert not upload_progress(upload=upload).received


@pytest.mark.django_db
def test_open_uploads_are_counted_and_ended_ones_take_no_part(owner: Any, settings: Any) -> None:
    settings.UPLOAD_MAX_OPEN = 1
    data = content()
    upload = begun(owner, data)
    send(owner, upload, data, 1)
    with pytest.raises(QuotaExceededError):
        begun(owner, content())

    upload_abort(actor=owner, upload_id=str(upload.pk))
    upload_abort(actor=owner, upload_id=str(upload.pk))

    assert code_of(lambda: put(owner, upload, 1, part_of(data, 1))) == "upload.ended"
    assert code_of(lambda: upload_complete(actor=owner, upload_id=str(upload.pk))) == "upload.ended"
    with pytest.raises(ConflictError):
        upload_blob(viewer=owner, upload_id=str(upload.pk), purpose="dataset")
    with pytest.raises(BlobMissingError):
        staged(upload, 1)
    done = begun(owner, data)
    send(owner, done, data)
    upload_complete(actor=owner, upload_id=str(done.pk))
    assert code_of(lambda: upload_abort(actor=owner, upload_id=str(done.pk))) == "upload.ended"
    with pytest.raises(InvalidError):
        upload_blob(viewer=owner, upload_id=str(done.pk), purpose="vector")


@pytest.mark.django_db
@pytest.mark.usefixtures("bucket")
def test_expired_upload_is_cleared_and_forgotten_after_a_week(owner: Any) -> None:
    data = content()
    upload = begun(owner, data)
    send(owner, upload, data, 1, 2)
    late = timezone.now() - timedelta(seconds=1)
    assert uploads_expire() == 0

    Upload.objects.update(expires_at=late)
    row = upload_get(viewer=owner, upload_id=str(upload.pk))
    assert (row.state, row.state_now, upload_progress(upload=row).missing) == ("pending", "expired", [])
    assert uploads_expire() == 1
    assert uploads_expire() == 0
    row.refresh_from_db()
    assert (row.state, row.has_parts) == (UploadState.EXPIRED, False)
    with pytest.raises(BlobMissingError):
        staged(upload, 1)

    Upload.objects.update(expires_at=late - KEPT)
    uploads_expire()
    with pytest.raises(NotFoundError):
        upload_get(viewer=owner, upload_id=str(upload.pk))


@pytest.mark.django_db
def test_signed_address_names_the_size(owner: Any, bucket: S3Staging) -> None:
    upload = begun(owner, content())
    link = upload_progress(upload=upload).missing[0].link
    assert "content-length" in httpx.URL(link).params["X-Amz-SignedHeaders"]
    assert f"/{bucket.bucket}/staging/{upload.pk}/1" in link


def test_staging_refuses_a_name_that_is_no_id(tmp_path: Any) -> None:
    from registry.storage.staging import LocalStaging

    store = LocalStaging(tmp_path)
    for name in ("../../etc", "", "A" * 36):
        with pytest.raises(ValueError, match="id"):
            store.put(name, 1, b"x")
    assert chosen.staging() is chosen.staging()


@pytest.mark.django_db
def test_complete_row_without_its_blob_is_refused_by_the_database(owner: Any) -> None:
    from django.db import IntegrityError, transaction

    upload = begun(owner, content())
    blob = blob_put(data=content(), media_type="x/y")
    for change in ({"state": "complete"}, {"state": "complete", "blob": blob}, {"blob": blob}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Upload.objects.filter(pk=upload.pk).update(**change)
    assert Blob.objects.filter(pk=blob.pk).exists()


@given(st.text(max_size=400))
def test_clean_filename_leaves_something_showable(filename: str) -> None:
    cleaned = clean_filename(filename)
    assert len(cleaned) <= 255
    assert cleaned.isprintable() or all(
        not c.isprintable() and c.isspace() for c in cleaned if not c.isprintable()
    )
    assert not {"/", "\\", "\0"} & set(cleaned)
