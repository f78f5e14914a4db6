"""Other engines' forms of a version's file, and how often a vector was downloaded."""

import re
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.schema import operation
from registry.api.v1.serializers.downloads import (
    ConversionSerializer,
    DaysQuery,
    DownloadQuery,
    DownloadSeriesSerializer,
    FormsSerializer,
)
from registry.catalog.models import VectorVersion
from registry.catalog.selectors import vector_get, version_get
from registry.core.errors import NotFoundError
from registry.serving.conversions import FORMATS, WRITERS, conversion_file, conversion_request
from registry.serving.models import Conversion, ConvertedFile
from registry.serving.selectors import conversion_list, download_series
from steering_core.formats.engines import ENGINES

# A small vector is converted in milliseconds, once a worker is free.
RETRY_SECONDS = 1


class VersionForms(Endpoint):
    """In which engines' forms a version can be had, and which of them are made."""

    @operation("vectors_version_forms", answer=FormsSerializer)
    def get(self, request: Request, owner: str, name: str, ref: str) -> Response:
        row = version_get(viewer=request.user, owner=owner, name=name, reference=ref)
        if row.artifact_id is None:
            raise NotFoundError("this version has no file yet", code="artifact.not_found")
        made = conversion_list(version=row, writers=WRITERS)
        items = [_form(row, format, made.get(format)) for format in FORMATS]
        return self.render(FormsSerializer, {"items": items})


class VectorDownloadCounts(Endpoint):
    """How often a vector was downloaded: in all, by version, and by day."""

    @operation("vectors_downloads", answer=DownloadSeriesSerializer, parameters=[DaysQuery])
    def get(self, request: Request, owner: str, name: str) -> Response:
        days = self.parse(DaysQuery, request.query_params)["days"]
        vector = vector_get(viewer=request.user, owner=owner, name=name)
        return self.render(DownloadSeriesSerializer, download_series(vector=vector, days=days))


def converted(view: Endpoint, row: VectorVersion) -> ConvertedFile | HttpResponse | None:
    """What `format` and `part` of a download ask for: the file, or word that it is being made; None for the
    native file.

    Raises:
        ValidationError: no such form is offered.
        InvalidError: the engine cannot say this vector.
    """
    query = view.parse(DownloadQuery, view.request.query_params)
    if "format" not in query or row.artifact is None:
        return None
    conversion = conversion_request(artifact=row.artifact, format=query["format"])
    if conversion.state == Conversion.State.DONE:
        return conversion_file(conversion=conversion, part=query.get("part", ""))
    response = view.render(ConversionSerializer, conversion, status=202)
    response["Location"] = f"{links.version_download(row)}?{urlencode(query)}"
    response["Retry-After"] = str(RETRY_SECONDS)
    return response


def converted_name(row: VectorVersion, file: ConvertedFile) -> str:
    """What to call a converted file; a Python module's name, and that of the file it reads, has no hyphen."""
    stem = f"{row.vector.owner.slug}-{row.vector.name}-{row.version or 'draft'}"
    return (re.sub(r"\W", "_", stem) if file.conversion.format == "python" else stem) + file.suffix


def _form(row: VectorVersion, format: str, made: Conversion | None) -> dict[str, Any]:
    engine, url = ENGINES[format], f"{links.version_download(row)}?{urlencode({'format': format})}"
    is_refused = made is not None and made.state == Conversion.State.REFUSED
    return {
        "format": format,
        "title": engine.title,
        "suffix": engine.suffix,
        "url": url,
        "state": made.state if made else "none",
        "reason": made.error_message if made and is_refused else "",
        "warnings": made.warnings if made else [],
        "usage": made.usage if made else "",
        "files": [_file(file, engine.suffix, url) for file in made.files.all()] if made else [],
    }


def _file(file: ConvertedFile, main: str, url: str) -> dict[str, Any]:
    part = "" if file.suffix == main else f"&{urlencode({'part': file.suffix.lstrip('.')})}"
    return {
        "suffix": file.suffix,
        "digest": file.blob.digest,
        "size_bytes": file.blob.size_bytes,
        "url": url + part,
    }
