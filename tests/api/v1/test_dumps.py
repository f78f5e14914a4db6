"""Dumps over REST: listed, the latest with its ETag, by day and by digest."""

import gzip
from datetime import timedelta
from typing import Any

from registry.serving.dumps import catalog_dump
from registry.serving.models import CatalogDump, DumpedRow
from tests.api.conftest import Api
from tests.factories import make_vector_version


def test_dumps_are_listed_and_served_to_everybody(nobody: Api, owner: Api) -> None:
    assert nobody.get("/dumps").json() == {"items": []}
    assert nobody.get("/dumps/latest").json()["code"] == "dump.not_found"
    make_vector_version(owner.user)
    dump = catalog_dump()

    [item] = nobody.get("/dumps").json()["items"]
    assert (item["digest"], item["lines"], item["day"]) == (dump.blob.digest, 1, dump.day.isoformat())
    latest = nobody.get("/dumps/latest")
    assert latest["Content-Type"] == "application/gzip"
    assert latest["Cache-Control"] == "public, no-cache"
    assert b'"reference":"acme/formality@1.0.0"' in gzip.decompress(latest.content)
    assert nobody.get("/dumps/latest", **{"If-None-Match": latest["ETag"]}).status_code == 304
    for path in (f"/dumps/{item['day']}", f"/blobs/{item['digest']}"):
        assert nobody.get(path).content == latest.content

    # Something in it is public no more: no way leads to it.
    DumpedRow.objects.create(
        kind="version", row="00000000-0000-0000-0000-000000000001", first_day=dump.day, last_day=dump.day
    )
    for path in ("/dumps/latest", f"/dumps/{item['day']}", f"/blobs/{item['digest']}"):
        assert nobody.get(path).status_code == 404


def test_list_takes_as_many_queries_for_many(nobody: Api, owner: Api, django_assert_num_queries: Any) -> None:
    make_vector_version(owner.user)
    first = catalog_dump()
    for days in range(1, 5):
        CatalogDump.objects.create(day=first.day - timedelta(days=days), blob=first.blob, lines=1)
    # What is public no more, and the dumps with their blobs.
    with django_assert_num_queries(2):
        assert len(nobody.get("/dumps").json()["items"]) == 5
