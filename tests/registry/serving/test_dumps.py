"""The catalog as one file a day: what is public and nothing else, also after it was written."""

import gzip
import json
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from registry.catalog.lifecycle import version_deprecate, version_yank
from registry.catalog.removal import version_remove
from registry.catalog.states import VersionState
from registry.catalog.vectors import vector_update
from registry.core.errors import NotFoundError
from registry.serving import dumps
from registry.serving.dumps import catalog_dump, catalog_dump_daily, dump_get, dump_list
from registry.serving.models import CatalogDump, DumpedRow
from registry.storage.services import blob_read
from steering_core.spec import canonical_json, digest
from tests.factories import make_user, make_vector_version


def lines_of(dump: CatalogDump) -> list[dict[str, Any]]:
    text = gzip.decompress(blob_read(sha256=dump.blob_id))
    return [json.loads(line) for line in text.splitlines()]


def names(dump: CatalogDump) -> list[str]:
    return [line["reference"] for line in lines_of(dump)]


def test_line_says_what_the_catalog_says(owner: Any) -> None:
    row = make_vector_version(owner)
    named = {"actor": owner, "owner": "acme", "name": "formality", "version": "1.0.0"}
    version_deprecate(**named, reason="old")
    version_yank(**named, reason="wrong sign")
    row.refresh_from_db()

    [line] = lines_of(catalog_dump())

    assert (line["kind"], line["reference"]) == ("version", "acme/formality@1.0.0")
    assert line["digest"] == row.digest
    assert line["report_digest"] == digest(canonical_json(row.report))
    assert line["base_model"] == {"name": row.base_model.name, "model_hash": row.base_model.model_hash}
    assert (line["spec"], line["window"]) == (row.spec, (row.manifest or {}).get("window"))
    assert line["yanked"]["reason"] == "wrong sign"
    assert line["deprecated"] == {"reason": "old", "replacement": ""}
    assert line["url"].endswith("/api/v1/vectors/acme/formality/versions/1.0.0/download")


def test_only_what_is_public_and_released_has_a_line(owner: Any) -> None:
    for seed, kind in enumerate(("public", "unlisted", "private")):
        make_vector_version(owner, kind, visibility=kind, seed=seed)
    make_vector_version(owner, "draft", VersionState.EXTRACTED, seed=7)
    assert names(catalog_dump()) == ["acme/public@1.0.0"]


def test_equal_rows_give_equal_bytes_and_few_queries(owner: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(dumps, "CHUNK", 2)
    for seed, name in enumerate(("b", "a", "c")):
        make_vector_version(owner, name, seed=seed)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        first = catalog_dump()
    # A cursor reads the rows: those of two chunks are noted, presets are asked for; the rest is the blob's.
    assert len([q for q in queries if "catalog_vectorversion" in q["sql"]]) <= 2
    assert len(queries) <= 20
    second = catalog_dump()
    assert (first.pk, first.blob_id) == (second.pk, second.blob_id)
    assert names(first) == ["acme/a@1.0.0", "acme/b@1.0.0", "acme/c@1.0.0"]
    assert CatalogDump.objects.count() == 1


@pytest.mark.parametrize("how", ["private", "removed"])
def test_what_is_public_no_more_takes_its_dumps_along(owner: Any, how: str) -> None:
    make_vector_version(owner, "stays", seed=1)
    catalog_dump()
    CatalogDump.objects.update(day=timezone.now().date() - timedelta(days=2))
    DumpedRow.objects.update(first_day=date(2026, 1, 1), last_day=timezone.now().date() - timedelta(days=2))
    goes = make_vector_version(owner, "goes", seed=2)
    catalog_dump()
    old = timezone.now().date() - timedelta(days=2)
    assert len(dump_list()) == 2

    if how == "private":
        vector_update(actor=owner, name="goes", visibility="private")
    else:
        staff = make_user("staff", is_staff=True, is_superuser=True)
        version_remove(actor=staff, version=goes, kind="safety", reason="harm")

    # At once, before any chore: today's is not given any more, the one from before it is.
    assert [row.day for row in dump_list()] == [old]
    assert dump_get(day="latest").day == old
    with pytest.raises(NotFoundError):
        dump_get(day=timezone.now().date().isoformat())
    # The chore makes a new one for today.
    assert (catalog_dump_daily(), catalog_dump_daily()) == (1, 0)
    assert names(dump_get(day="latest")) == ["acme/stays@1.0.0"]
    assert len(dump_list()) == 2


@pytest.mark.django_db
def test_command_writes_a_dump_of_nothing_too() -> None:
    out = StringIO()
    call_command("dump_catalog", stdout=out)
    assert "0 lines" in out.getvalue()
