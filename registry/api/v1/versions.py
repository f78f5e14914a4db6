"""Versions of vectors by name, by row id, and their files."""

import hashlib
import uuid
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from registry.accounts.access import Visibility, check_files
from registry.api.counting import counted
from registry.api.endpoint import Endpoint
from registry.api.files import IMMUTABLE, PRIVATE, SHORT, ServedFile, file_response, is_fresh
from registry.api.notices import with_notices
from registry.api.schema import FILE, OBJECT, operation
from registry.api.v1.downloads import converted, converted_name
from registry.api.v1.dumps import dump_file
from registry.api.v1.presets import preset_file
from registry.api.v1.serializers.downloads import ConversionSerializer, DownloadQuery
from registry.api.v1.serializers.vectors import VersionSerializer
from registry.catalog.models import VectorVersion
from registry.catalog.notices import version_notices
from registry.catalog.selectors import (
    version_by_digest,
    version_conformance,
    version_file_rows,
    version_get,
    version_get_by_id,
)
from registry.catalog.states import RELEASED, Access
from registry.core.errors import NotFoundError
from registry.presets.selectors import preset_version_by_digest
from registry.serving.dumps import MEDIA_TYPE as DUMP
from registry.serving.dumps import dump_by_digest
from registry.storage.models import Blob
from steering_core.formats import conformance, preset
from steering_core.formats.bearing import MEDIA_TYPE
from steering_core.spec import canonical_json

JSON = "application/json"
# What a download answers: the native file, another form of it, or word that this form is being made.
DOWNLOAD: dict[str, Any] = {
    "answer": FILE,
    "media_type": MEDIA_TYPE,
    "parameters": [DownloadQuery],
    "also": {
        202: ConversionSerializer,
        (200, "application/octet-stream"): FILE,
        (200, "application/json"): FILE,
        (200, "text/x-python"): FILE,
    },
}


class VersionGet(Endpoint):
    """A version by exact version, `sha256:…` of its file, or `latest`."""

    @operation("vectors_version_get", answer=VersionSerializer)
    def get(self, request: Request, owner: str, name: str, ref: str) -> HttpResponse:
        return self.version(version_get(viewer=request.user, owner=owner, name=name, reference=ref))

    def version(self, row: VectorVersion) -> HttpResponse:
        """The object with an ETag over all it says, since a yank changes it while its file stays."""
        body = canonical_json(self.wire(VersionSerializer, row))
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        is_known = is_fresh(self.request, etag)
        response = HttpResponse(status=304) if is_known else HttpResponse(body, content_type=JSON)
        response["ETag"] = etag
        # Of one that is not open it says what this caller may have.
        is_for_all = is_public(row) and row.vector.access == Access.OPEN
        response["Cache-Control"] = SHORT if is_for_all else PRIVATE
        if row.digest:
            response["X-Bearing-Digest"] = row.digest
        return with_notices(response, version_notices(row))


class VersionGetById(VersionGet):
    """A version by its row id; for its owner, drafts too."""

    @operation("versions_get", answer=VersionSerializer)
    def get(self, request: Request, version_id: uuid.UUID) -> HttpResponse:  # type: ignore[override]
        return self.version(version_get_by_id(viewer=request.user, version_id=str(version_id)))


class VersionDownload(Endpoint):
    """The native file. Check it against `X-Bearing-Digest`."""

    bucket = "files"

    @operation("vectors_version_download", **DOWNLOAD)
    def get(self, request: Request, owner: str, name: str, ref: str) -> HttpResponse:
        row = file_version(request, owner, name, ref)
        return artifact_response(self, row, caching=caching_of(ref))


class DraftDownload(Endpoint):
    """The native file of a version by its row id; for its owner, drafts too."""

    bucket = "files"

    @operation("versions_download", **DOWNLOAD)
    def get(self, request: Request, version_id: uuid.UUID) -> HttpResponse:
        row = version_get_by_id(viewer=request.user, version_id=str(version_id))
        return artifact_response(self, row, caching=SHORT)


class VersionConformance(Endpoint):
    """The certificate of what an engine must do with the file. Check it against `X-Bearing-Digest`."""

    bucket = "files"

    @operation("vectors_version_conformance", answer=OBJECT, media_type=conformance.MEDIA_TYPE)
    def get(self, request: Request, owner: str, name: str, ref: str) -> HttpResponse:
        row = file_version(request, owner, name, ref)
        return conformance_response(request, row, caching=caching_of(ref))


class DraftConformance(Endpoint):
    """The certificate of a version by its row id; for its owner, drafts too."""

    bucket = "files"

    @operation("versions_conformance", answer=OBJECT, media_type=conformance.MEDIA_TYPE)
    def get(self, request: Request, version_id: uuid.UUID) -> HttpResponse:
        row = version_get_by_id(viewer=request.user, version_id=str(version_id))
        return conformance_response(request, row, caching=SHORT)


OTHER_BLOBS: dict[Any, Any] = {(200, preset.MEDIA_TYPE): OBJECT, (200, DUMP): FILE}


class BlobDownload(Endpoint):
    """A native file, the file of a preset, or a dump of the catalog, by its digest alone."""

    bucket = "files"

    @operation("blobs_get", answer=FILE, media_type=MEDIA_TYPE, also=OTHER_BLOBS)
    def get(self, request: Request, sha256: str) -> HttpResponse:
        try:
            row = version_by_digest(viewer=request.user, sha256=sha256)
        except NotFoundError:
            mix = preset_version_by_digest(viewer=request.user, sha256=sha256)
            if mix is not None:
                return preset_file(request, mix, caching=IMMUTABLE)
            dump = dump_by_digest(sha256=sha256)
            if dump is None:
                raise
            return dump_file(request, dump)
        return artifact_response(self, row, caching=IMMUTABLE)


def file_version(request: Request, owner: str, name: str, ref: str) -> VectorVersion:
    """A version whose files are asked for: without its report, which is larger than most files."""
    rows = version_file_rows()
    return version_get(viewer=request.user, owner=owner, name=name, reference=ref, rows=rows)


def artifact_response(view: Endpoint, row: VectorVersion, *, caching: str) -> HttpResponse:
    """The file of a version, or the form of it that the query asks for; `caching` counts for public ones,
    others are not to be kept anywhere.

    Raises:
        NotFoundError: it has no file yet.
        NotAllowedError: the caller may see the version and not have its file.
    """
    if row.artifact is None:
        raise NotFoundError(
            "this version has no file yet; its run has not finished", code="artifact.not_found"
        )
    check_files(view.request.user, row.vector)
    blob, filename = row.artifact, f"{_stem(row)}.safetensors"
    if (form := converted(view, row)) is not None:
        if isinstance(form, HttpResponse):
            return form
        blob, filename = form.blob, converted_name(row, form)
        # The writers may be mended, so a form is not the same for good.
        caching = SHORT
    response = blob_response(view.request, row, blob, filename=filename, caching=caching)
    return counted(view.request, response, row)


def conformance_response(request: Request, row: VectorVersion, *, caching: str) -> HttpResponse:
    """The certificate of a version; `caching` as above.

    Raises:
        NotFoundError: it has none.
        NotAllowedError: the caller may see the version and not have its files.
    """
    check_files(request.user, row.vector)
    blob, filename = version_conformance(version=row), f"{_stem(row)}-conformance.json"
    return blob_response(request, row, blob, filename=filename, caching=caching)


def blob_response(
    request: Request, row: VectorVersion, blob: Blob, *, filename: str, caching: str
) -> HttpResponse:
    """A blob that belongs to a version."""
    is_for_all = is_public(row) and row.vector.access == Access.OPEN
    file = ServedFile(
        sha256=blob.sha256,
        size_bytes=blob.size_bytes,
        media_type=blob.media_type,
        filename=filename,
        caching=caching if is_for_all else PRIVATE,
    )
    return with_notices(file_response(request, file), version_notices(row))


def _stem(row: VectorVersion) -> str:
    return f"{row.vector.owner.slug}-{row.vector.name}-{row.version or 'draft'}"


def caching_of(ref: str) -> str:
    """A digest names the same bytes for good; a version or `latest` may be made private or move."""
    return IMMUTABLE if ref.startswith("sha256:") else SHORT


def is_public(row: VectorVersion) -> bool:
    """Whether everybody may see this version."""
    return row.state in RELEASED and row.vector.visibility == Visibility.PUBLIC
