"""Uploads: announce a file, send its parts, complete it, give it up. Data sets are made of them."""

import uuid

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.parsers import RawBody
from registry.api.permissions import TokenReadOrScopedWrite
from registry.api.schema import FILE, operation
from registry.api.v1.serializers.uploads import (
    StagedPartSerializer,
    UploadBody,
    UploadBriefSerializer,
    UploadSerializer,
)
from registry.uploads.selectors import upload_get, upload_list
from registry.uploads.services import (
    Announcement,
    upload_abort,
    upload_complete,
    upload_open,
    upload_part_put,
)

CONTENT_DIGEST = OpenApiParameter(
    "Content-Digest",
    location=OpenApiParameter.HEADER,
    required=True,
    description="RFC 9530: `sha-256=:…:` with the base64 of the part's sha256.",
)


class UploadList(Endpoint):
    """Your uploads of the last week, newest first."""

    permission_classes = [TokenReadOrScopedWrite]
    pagination_class = Cursor

    @operation("uploads_list", answer=UploadBriefSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.render_page(UploadBriefSerializer, upload_list(viewer=self.user))


class UploadOpen(Endpoint):
    """Announce a file. It is complete at once where it is here and you may read it; else send its parts."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("uploads_open", status=201, answer=UploadSerializer, request=UploadBody)
    def post(self, request: Request) -> Response:
        row = upload_open(actor=self.user, file=Announcement(**self.parse(UploadBody, request.data)))
        response = self.render(UploadSerializer, row, status=201)
        response["Location"] = links.operation("upload", row.pk)
        return response


class UploadGet(Endpoint):
    """What arrived of one of your uploads, and fresh addresses for what is missing."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("uploads_get", answer=UploadSerializer)
    def get(self, request: Request, upload_id: uuid.UUID) -> Response:
        return self.render(UploadSerializer, upload_get(viewer=self.user, upload_id=str(upload_id)))


class UploadAbort(Endpoint):
    """Give an upload up; its parts are deleted."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("uploads_abort", status=204, answer=None)
    def delete(self, request: Request, upload_id: uuid.UUID) -> Response:
        upload_abort(actor=self.user, upload_id=str(upload_id))
        return Response(status=204)


class UploadPartPut(Endpoint):
    """Send a part through this interface; sending it again replaces it."""

    bucket = "files"
    permission_classes = [TokenReadOrScopedWrite]
    parser_classes = [RawBody]

    @operation(
        "uploads_part_put",
        answer=StagedPartSerializer,
        request={RawBody.media_type: FILE},
        parameters=[CONTENT_DIGEST],
    )
    def put(self, request: Request, upload_id: uuid.UUID, number: int) -> Response:
        data = request.data
        part = upload_part_put(
            actor=self.user,
            upload_id=str(upload_id),
            number=number,
            data=data if isinstance(data, bytes) else b"",
            content_digest=request.headers.get("Content-Digest", ""),
        )
        return self.render(StagedPartSerializer, part)


class UploadComplete(Endpoint):
    """Put the parts together and verify the whole. After a wrong digest it stays open."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("uploads_complete", answer=UploadSerializer, request=None)
    def post(self, request: Request, upload_id: uuid.UUID) -> Response:
        return self.render(UploadSerializer, upload_complete(actor=self.user, upload_id=str(upload_id)))


class UploadCollection(UploadList, UploadOpen):
    """`/uploads`"""


class UploadItem(UploadGet, UploadAbort):
    """`/uploads/{id}`"""
