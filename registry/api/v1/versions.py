"""Versions of vectors by name, by row id, and their files."""

import hashlib
import uuid

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.access import Visibility
from registry.api.endpoint import Endpoint
from registry.api.errors import header_text
from registry.api.files import IMMUTABLE, PRIVATE, SHORT, ServedFile, file_response, is_fresh
from registry.api.schema import FILE, operation
from registry.api.v1.serializers.vectors import VersionSerializer
from registry.catalog.models import VectorVersion
from registry.catalog.selectors import (
    version_by_digest,
    version_conformance,
    version_get,
    version_get_by_id,
)
from registry.catalog.states import RELEASED, VersionState
from registry.core.errors import NotFoundError
from registry.storage.models import Blob
from steering_core.formats import conformance
from steering_core.formats.bearing import MEDIA_TYPE
from steering_core.spec import canonical_json


class VersionGet(Endpoint):
    """A version by exact version, `sha256:…` of its file, or `latest`."""

    @operation("vectors_version_get", answer=VersionSerializer)
    def get(self, request: Request, owner: str, name: str, ref: str) -> HttpResponse:
        return self.version(version_get(viewer=request.user, owner=owner, name=name, reference=ref))

    def version(self, row: VectorVersion) -> HttpResponse:
        """The object with an ETag over all it says, since a yank changes it while its file stays."""
        body = self.wire(VersionSerializer, row)
        etag = f'"{hashlib.sha256(canonical_json(body)).hexdigest()}"'
        response = HttpResponse(status=304) if is_fresh(self.request, etag) else Response(body)
        response["ETag"] = etag
        response["Cache-Control"] = SHORT if is_public(row) else PRIVATE
        if row.digest:
            response["X-Bearing-Digest"] = row.digest
        return with_warning(response, row)


class VersionGetById(VersionGet):
    """A version by its row id; for its owner, drafts too."""

    @operation("versions_get", answer=VersionSerializer)
    def get(self, request: Request, version_id: uuid.UUID) -> HttpResponse:  # type: ignore[override]
        return self.version(version_get_by_id(viewer=request.user, version_id=str(version_id)))


class VersionDownload(Endpoint):
    """The native file. Check it against `X-Bearing-Digest`."""

    bucket = "files"

    @operation("vectors_version_download", answer=FILE, media_type=MEDIA_TYPE)
    def get(self, request: Request, owner: str, name: str, ref: str) -> HttpResponse:
        row = version_get(viewer=request.user, owner=owner, name=name, reference=ref)
        return artifact_response(request, row, caching=caching_of(ref))


class DraftDownload(Endpoint):
    """The native file of a version by its row id; for its owner, drafts too."""

    bucket = "files"

    @operation("versions_download", answer=FILE, media_type=MEDIA_TYPE)
    def get(self, request: Request, version_id: uuid.UUID) -> HttpResponse:
        row = version_get_by_id(viewer=request.user, version_id=str(version_id))
        return artifact_response(request, row, caching=SHORT)


class VersionConformance(Endpoint):
    """The certificate of what an engine must do with the file. Check it against `X-Bearing-Digest`."""

    bucket = "files"

    @operation("vectors_version_conformance", answer=FILE, media_type=conformance.MEDIA_TYPE)
    def get(self, request: Request, owner: str, name: str, ref: str) -> HttpResponse:
        row = version_get(viewer=request.user, owner=owner, name=name, reference=ref)
        return conformance_response(request, row, caching=caching_of(ref))


class DraftConformance(Endpoint):
    """The certificate of a version by its row id; for its owner, drafts too."""

    bucket = "files"

    @operation("versions_conformance", answer=FILE, media_type=conformance.MEDIA_TYPE)
    def get(self, request: Request, version_id: uuid.UUID) -> HttpResponse:
        row = version_get_by_id(viewer=request.user, version_id=str(version_id))
        return conformance_response(request, row, caching=SHORT)


class BlobDownload(Endpoint):
    """A native file by its digest alone."""

    bucket = "files"

    @operation("blobs_get", answer=FILE, media_type=MEDIA_TYPE)
    def get(self, request: Request, sha256: str) -> HttpResponse:
        row = version_by_digest(viewer=request.user, sha256=sha256)
        return artifact_response(request, row, caching=IMMUTABLE)


def artifact_response(request: Request, row: VectorVersion, *, caching: str) -> HttpResponse:
    """The file of a version; `caching` counts for public ones, others are not to be kept anywhere.

    Raises:
        NotFoundError: it has no file yet.
    """
    if row.artifact is None:
        raise NotFoundError(
            "this version has no file yet; its run has not finished", code="artifact.not_found"
        )
    return blob_response(request, row, row.artifact, ending=".safetensors", caching=caching)


def conformance_response(request: Request, row: VectorVersion, *, caching: str) -> HttpResponse:
    """The certificate of a version; `caching` as above.

    Raises:
        NotFoundError: it has none.
    """
    blob = version_conformance(version=row)
    return blob_response(request, row, blob, ending="-conformance.json", caching=caching)


def blob_response(
    request: Request, row: VectorVersion, blob: Blob, *, ending: str, caching: str
) -> HttpResponse:
    """A blob that belongs to a version, named after it."""
    vector = row.vector
    file = ServedFile(
        sha256=blob.sha256,
        size_bytes=blob.size_bytes,
        media_type=blob.media_type,
        filename=f"{vector.owner.slug}-{vector.name}-{row.version or 'draft'}{ending}",
        caching=caching if is_public(row) else PRIVATE,
    )
    return with_warning(file_response(request, file), row)


def caching_of(ref: str) -> str:
    """A digest names the same bytes for good; a version or `latest` may be made private or move."""
    return IMMUTABLE if ref.startswith("sha256:") else SHORT


def is_public(row: VectorVersion) -> bool:
    """Whether everybody may see this version."""
    return row.state in RELEASED and row.vector.visibility == Visibility.PUBLIC


def with_warning(response: HttpResponse, row: VectorVersion) -> HttpResponse:
    """Word of a yank to whoever pinned the version."""
    if row.state == VersionState.YANKED:
        reason = header_text(row.yank_reason).replace("\\", "/").replace('"', "'")
        response["Warning"] = f'299 - "yanked: {reason}"'
    return response
