"""Dumps of the public catalog, one a day; for everybody."""

from typing import Any

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.files import ServedFile, file_response
from registry.api.schema import FILE, operation
from registry.serving.dumps import MEDIA_TYPE, dump_get, dump_list
from registry.serving.models import CatalogDump

# A dump is withdrawn when something in it is public no more, so it is not kept on the way; its ETag spares
# the bytes.
CACHING = "public, no-cache"


class DumpSerializer(serializers.Serializer[Any]):
    """All that was public on a day, as gzip of JSON Lines."""

    day = serializers.DateField()
    digest = serializers.CharField(source="blob.digest")
    size_bytes = serializers.IntegerField(source="blob.size_bytes")
    lines = serializers.IntegerField()
    url = serializers.SerializerMethodField()

    def get_url(self, row: CatalogDump) -> str:
        return links.operation("dump", row.day.isoformat())


class DumpsSerializer(serializers.Serializer[Any]):
    """Newest first."""

    items = DumpSerializer(many=True)


class DumpList(Endpoint):
    """The dumps of the last 30 days, newest first."""

    @operation("dumps_list", answer=DumpsSerializer)
    def get(self, request: Request) -> Response:
        return self.render(DumpsSerializer, {"items": dump_list()})


class DumpDownload(Endpoint):
    """The dump of a day, or the latest: gzip of JSON Lines."""

    bucket = "files"

    @operation("dumps_get", answer=FILE, media_type=MEDIA_TYPE)
    def get(self, request: Request, day: str) -> HttpResponse:
        return dump_file(request, dump_get(day=day))


def dump_file(request: Request, row: CatalogDump) -> HttpResponse:
    """The file of a dump."""
    file = ServedFile(
        sha256=row.blob.sha256,
        size_bytes=row.blob.size_bytes,
        media_type=MEDIA_TYPE,
        filename=f"bearing-catalog-{row.day}.jsonl.gz",
        caching=CACHING,
    )
    return file_response(request, file)
