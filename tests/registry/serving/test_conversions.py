"""Conversions on the real database: one row however many ask, leases, retries, and real files."""

import threading
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.db.models.functions import Now

from registry.core.errors import InvalidError, NotFoundError
from registry.serving import conversions
from registry.serving.conversions import (
    CONVERT,
    FORMATS,
    MAX_ATTEMPTS,
    ConversionFailedError,
    ConversionResult,
    conversion_claim,
    conversion_complete,
    conversion_fail,
    conversion_file,
    conversion_refuse,
    conversion_request,
    conversions_sweep,
)
from registry.serving.models import Conversion
from registry.storage.blobs import BlobStoreError
from registry.storage.models import Blob
from registry.storage.services import blob_put, blob_read
from steering_core.formats.bearing import MEDIA_TYPE, read_vector
from steering_core.formats.engines import ENGINES, read_any
from steering_core.formats.loose import loosen
from tests.factories import make_artifact, make_vector
from workers.tasks.conversion import convert, converted

State = Conversion.State
LONG_AGO = Now() - timedelta(hours=1)


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task begins with a fresh connection; here it is the test's own."""
    monkeypatch.setattr("workers.tasks.conversion.close_old_connections", lambda: None)


@pytest.fixture
def artifact(db: None) -> Blob:
    return blob_put(data=make_artifact(), media_type=MEDIA_TYPE)


@pytest.fixture
def row(artifact: Blob) -> Conversion:
    return conversion_request(artifact=artifact, format="gguf")


def test_a_worker_makes_the_file_that_the_engine_reads(artifact: Blob, row: Conversion) -> None:
    assert (row.state, row.format) == (State.WAITING, "llama.cpp")
    convert(str(row.pk))

    row = conversion_request(artifact=artifact, format="gguf")
    file = conversion_file(conversion=row)
    engine, vector = read_any(blob_read(sha256=file.blob_id), "a.gguf")
    native = read_vector(make_artifact())
    assert (row.state, file.suffix, engine.name) == (State.DONE, ".gguf", "glp")
    assert vector.at("resid_post", 2).tobytes() == native.directions["resid_post.2"].tobytes()
    assert row.usage
    assert Conversion.objects.count() == 1


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_ends_in_files_or_in_a_reason(artifact: Blob, format: str) -> None:
    convert(str(conversion_request(artifact=artifact, format=format).pk))

    if format == "ds4":
        with pytest.raises(InvalidError, match="project") as caught:
            conversion_request(artifact=artifact, format=format)
        assert caught.value.code == "engine.operation"
        return
    done = conversion_request(artifact=artifact, format=format)
    assert done.state == State.DONE
    assert conversion_file(conversion=done).suffix == ENGINES[format].suffix


def test_every_engine_is_offered_or_left_out_with_a_reason() -> None:
    assert set(ENGINES) - set(FORMATS) == {"lm-eval", "persona", "bearing"}
    for name in ("lm-eval", "persona"):
        # Nothing but torch writes these.
        assert converted(loosen(make_vector()), name).files[".pt"] == b""


def test_file_beside_the_main_one_is_found_by_its_ending(artifact: Blob) -> None:
    convert(str(conversion_request(artifact=artifact, format="python").pk))
    row = conversion_request(artifact=artifact, format="python")
    assert conversion_file(conversion=row, part="safetensors").suffix == ".safetensors"
    with pytest.raises(NotFoundError, match=r"it has \.py, \.safetensors"):
        conversion_file(conversion=row, part="json")


@pytest.mark.parametrize("format", ["onnx", "persona", "bearing", ""])
def test_unknown_format_is_refused_with_the_list(artifact: Blob, format: str) -> None:
    with pytest.raises(InvalidError, match="gguf") as caught:
        conversion_request(artifact=artifact, format=format)
    assert caught.value.code == "conversion.format_unknown"


@pytest.mark.django_db(transaction=True)
def test_twenty_first_requests_make_one_conversion_and_ring_once() -> None:
    artifact = blob_put(data=make_artifact(seed=7), media_type=MEDIA_TYPE)
    found: list[Any] = []
    start = threading.Barrier(20)

    def ask() -> None:
        start.wait()
        try:
            found.append(conversion_request(artifact=artifact, format="glp").pk)
        finally:
            connection.close()

    with mock.patch.object(conversions, "_ring") as ring:
        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 20
    assert len(set(found)) == Conversion.objects.count() == 1
    assert ring.call_count == 1


def test_request_sends_the_id_alone_once_it_is_durable(
    artifact: Blob, django_capture_on_commit_callbacks: Any
) -> None:
    with (
        mock.patch.object(conversions.app, "signature") as signature,
        django_capture_on_commit_callbacks(execute=True),
    ):
        row = conversion_request(artifact=artifact, format="glp")
        assert not signature.called
    signature.assert_called_once_with(CONVERT, args=[str(row.pk)])
    row.refresh_from_db()
    assert row.notified_at is not None


def test_second_worker_finds_nothing_to_claim(row: Conversion) -> None:
    assert conversion_claim(conversion_id=str(row.pk)) is not None
    assert conversion_claim(conversion_id=str(row.pk)) is None


def test_worker_that_woke_up_late_changes_nothing(row: Conversion) -> None:
    late = conversion_claim(conversion_id=str(row.pk))
    Conversion.objects.update(lease_until=LONG_AGO)
    current = conversion_claim(conversion_id=str(row.pk))
    assert late is not None
    assert current is not None

    assert not conversion_complete(claim=late, result=ConversionResult({".gguf": b"late"}))
    assert not conversion_refuse(claim=late, code="engine.site", message="no")
    assert not conversion_fail(claim=late)
    assert conversion_complete(claim=current, result=ConversionResult({".gguf": b"right"}))
    assert blob_read(sha256=conversion_file(conversion=row).blob_id) == b"right"


def test_store_out_of_reach_is_tried_again_and_then_given_up(artifact: Blob, row: Conversion) -> None:
    with mock.patch("registry.catalog.artifacts.blob_read", side_effect=BlobStoreError("away")):
        for attempt in range(1, MAX_ATTEMPTS + 1):
            convert(str(row.pk))
            row.refresh_from_db()
            assert (row.state, row.attempt) == (State.FAILED if attempt == 3 else State.WAITING, attempt)
        convert(str(row.pk))
    with pytest.raises(ConversionFailedError):
        conversion_request(artifact=artifact, format="gguf")

    Conversion.objects.update(finished_at=LONG_AGO)
    assert conversion_request(artifact=artifact, format="gguf").state == State.WAITING
    convert(str(row.pk))
    assert conversion_request(artifact=artifact, format="gguf").state == State.DONE


def test_sweep_rings_for_what_waits_and_for_lost_workers_alone(row: Conversion) -> None:
    assert [conversions_sweep(), conversions_sweep()] == [1, 0]
    conversion_claim(conversion_id=str(row.pk))
    Conversion.objects.update(notified_at=LONG_AGO)
    assert conversions_sweep() == 0
    Conversion.objects.update(lease_until=LONG_AGO)
    assert conversions_sweep() == 1


def test_sweep_gives_up_what_took_its_worker_down_each_time(row: Conversion) -> None:
    for _ in range(MAX_ATTEMPTS):
        conversion_claim(conversion_id=str(row.pk))
        Conversion.objects.update(lease_until=LONG_AGO)
    assert conversion_claim(conversion_id=str(row.pk)) is None
    conversions_sweep()
    row.refresh_from_db()
    assert row.state == State.FAILED


def test_broker_out_of_reach_leaves_the_row_for_the_sweeper(row: Conversion) -> None:
    with mock.patch.object(conversions.app, "signature", side_effect=OSError("away")):
        assert conversions_sweep() == 0
    assert conversions_sweep() == 1


def test_damaged_native_file_is_a_fault_of_ours(row: Conversion) -> None:
    with mock.patch("registry.catalog.artifacts.blob_read", return_value=b"not a vector"):
        convert(str(row.pk))
    row.refresh_from_db()
    assert (row.state, row.attempt) == (State.WAITING, 1)
