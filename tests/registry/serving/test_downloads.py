"""Counts of downloads on the real Valkey and PostgreSQL, with everything that may fail between them."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.test import override_settings
from django.utils import timezone

from registry.catalog.models import Vector, VectorVersion
from registry.core.valkey import PREFIX, valkey
from registry.serving import downloads
from registry.serving.downloads import download_count, downloads_flush
from registry.serving.models import DailyDownloads, DownloadBatch, VectorDownloads
from registry.serving.selectors import download_series, download_totals
from tests.factories import make_vector_version


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    def clear() -> None:
        for key in valkey().scan_iter(f"{PREFIX}downloads:*"):
            valkey().delete(key)

    clear()
    yield
    clear()


@pytest.fixture
def version(db: None) -> VectorVersion:
    return make_vector_version()


def count(version: VectorVersion, *callers: str, is_automatic: bool = False) -> None:
    for caller in callers:
        download_count(version_id=version.pk, caller=caller, is_automatic=is_automatic)


def rows() -> dict[str, int]:
    return dict(DailyDownloads.objects.values_list("kind", "count"))


def test_a_caller_counts_once_a_day_and_ci_apart(version: VectorVersion) -> None:
    count(version, "token:1", "token:1", "token:2", "address:127.0.0.1")
    count(version, "token:1", "token:3", is_automatic=True)

    assert downloads_flush() == 5
    assert rows() == {"direct": 3, "ci": 2}
    # The day goes on after a flush.
    count(version, "token:1", "token:4")
    assert downloads_flush() == 1
    assert rows() == {"direct": 4, "ci": 2}


def test_next_day_a_caller_counts_again(version: VectorVersion) -> None:
    for day in (1, 2):
        with mock.patch.object(timezone, "now", return_value=datetime(2026, 11, day, 23, tzinfo=UTC)):
            count(version, "token:1")
    assert downloads_flush() == 2
    assert list(DailyDownloads.objects.values_list("day", flat=True)) == [
        date(2026, 11, 2),
        date(2026, 11, 1),
    ]


def test_what_is_kept_of_a_caller_is_a_hash_that_changes_every_day(version: VectorVersion) -> None:
    today, members = datetime(2026, 11, 1, tzinfo=UTC), []
    for moment in (today, today + timedelta(days=1)):
        with mock.patch.object(timezone, "now", return_value=moment):
            count(version, "address:203.0.113.9")
    for key in valkey().scan_iter(f"{PREFIX}downloads:seen:*"):
        assert 0 < valkey().ttl(key) <= 2 * 86_400
        members += valkey().smembers(key)
    assert len(set(members)) == 2
    assert not [member for member in members if b"203" in member]


def test_valkey_out_of_reach_costs_the_count_alone(version: VectorVersion) -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        count(version, "token:1")
        assert downloads_flush() == 0
    assert not DailyDownloads.objects.exists()


def test_flush_that_died_before_it_wrote_is_made_good(version: VectorVersion) -> None:
    count(version, "token:1", "token:2")
    with (
        mock.patch.object(downloads, "_add", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        downloads_flush()
    assert not DailyDownloads.objects.exists()
    count(version, "token:3")
    assert downloads_flush() == 3
    assert rows() == {"direct": 3}


def test_flush_that_died_after_it_wrote_counts_nothing_twice(version: VectorVersion) -> None:
    count(version, "token:1", "token:2")
    real = downloads._add

    def write_and_die(batch: uuid.UUID, counts: Any) -> int:
        real(batch, counts)
        raise KeyboardInterrupt

    with mock.patch.object(downloads, "_add", write_and_die), pytest.raises(KeyboardInterrupt):
        downloads_flush()
    assert downloads_flush() == 0
    assert rows() == {"direct": 2}
    assert valkey().scard(downloads._BATCHES) == 0
    assert DownloadBatch.objects.count() == 1


def test_version_that_is_gone_is_left_out(version: VectorVersion) -> None:
    download_count(version_id=uuid.uuid4(), caller="token:1", is_automatic=False)
    count(version, "token:1")
    assert downloads_flush() == 1


def test_totals_leave_ci_out_and_forget_what_is_older_than_30_days(version: VectorVersion) -> None:
    vector, today = version.vector, timezone.now().date()
    for age, kind, n in ((29, "direct", 5), (40, "direct", 7), (1, "ci", 100)):
        DailyDownloads.objects.create(version=version, day=today - timedelta(days=age), kind=kind, count=n)
    count(version, "token:1")
    downloads_flush()
    assert download_totals(Vector.objects.get(pk=vector.pk)) == {"total": 13, "last_30_days": 6}
    assert vector.search_entry.downloads == 6

    with mock.patch.object(timezone, "now", return_value=timezone.now() + timedelta(days=1)):
        downloads_flush()
    assert VectorDownloads.objects.get().last_30_days == 1


def test_totals_of_a_list_take_no_query_each(version: VectorVersion, django_assert_num_queries: Any) -> None:
    count(version, "token:1")
    downloads_flush()
    with django_assert_num_queries(1):
        found = [download_totals(row) for row in Vector.objects.select_related("downloads")]
    assert found == [{"total": 1, "last_30_days": 1}]


def test_series_has_every_day_and_every_version(version: VectorVersion) -> None:
    today = timezone.now().date()
    DailyDownloads.objects.create(version=version, day=today - timedelta(days=2), kind="direct", count=4)
    DailyDownloads.objects.create(version=version, day=today, kind="ci", count=9)
    DailyDownloads.objects.create(version=version, day=today - timedelta(days=9), kind="direct", count=2)

    series = download_series(vector=version.vector, days=3)

    assert [(day.downloads, day.ci) for day in series.days] == [(4, 0), (0, 0), (0, 9)]
    assert series.days[-1].day == today
    assert series.versions == {"1.0.0": 6}
