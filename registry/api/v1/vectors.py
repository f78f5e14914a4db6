"""Vectors: read, change the words around them, publish, and look into a file."""

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.notices import with_notices
from registry.api.pagination import Cursor
from registry.api.parsers import UploadForm
from registry.api.permissions import AnyToken
from registry.api.preconditions import etag_of, guarded
from registry.api.schema import IF_MATCH, OBJECT, operation
from registry.api.v1.serializers.vectors import (
    PublishBody,
    VectorBody,
    VectorDetailSerializer,
    VectorFileBody,
    VersionBriefSerializer,
    VersionSerializer,
)
from registry.catalog.models import Vector
from registry.catalog.notices import vector_notices
from registry.catalog.releasing import version_publish
from registry.catalog.selectors import vector_get, version_list
from registry.catalog.vectors import vector_update
from steering_core.formats.bearing import inspect_vector


class VectorEndpoint(Endpoint):
    """Answers with a vector and the ETag of what can be changed of it."""

    def with_etag(self, row: Vector) -> Response:
        """The object and its ETag."""
        response = self.render(VectorDetailSerializer, row)
        response["ETag"] = self.etag(row)
        with_notices(response, vector_notices(row))
        return response

    def etag(self, row: Vector) -> str:
        """Over all it says but the counts, which nobody changes by hand."""
        return etag_of(self.wire(VectorDetailSerializer, row) | {"downloads": None})


class VectorGet(VectorEndpoint):
    """One vector. Its `ETag` is for `If-Match`."""

    @operation("vectors_get", answer=VectorDetailSerializer)
    def get(self, request: Request, owner: str, name: str) -> Response:
        return self.with_etag(vector_get(viewer=request.user, owner=owner, name=name))


class VectorUpdate(VectorEndpoint):
    """Change the words around your vector or who sees it; its versions stay as they are."""

    @operation("vectors_update", answer=VectorDetailSerializer, request=VectorBody, parameters=[IF_MATCH])
    def patch(self, request: Request, owner: str, name: str) -> Response:
        body = self.parse(VectorBody, request.data)
        rows = Vector.objects.filter(names__owner__slug=owner, names__name=name)

        def now() -> str:
            return self.etag(vector_get(viewer=request.user, owner=owner, name=name))

        with guarded(request, rows, now):
            row = vector_update(actor=self.user, owner=owner, name=name, **body)
        return self.with_etag(row)


class VersionList(Endpoint):
    """The versions of a vector, highest first; its owner sees drafts before them."""

    pagination_class = Cursor

    @operation("vectors_versions_list", answer=VersionBriefSerializer(many=True))
    def get(self, request: Request, owner: str, name: str) -> Response:
        vector = vector_get(viewer=request.user, owner=owner, name=name)
        return self.render_page(VersionBriefSerializer, version_list(viewer=request.user, vector=vector))


class VersionPublish(Endpoint):
    """Freeze an extracted draft of your vector under a version, for good."""

    @operation("vectors_publish", status=201, answer=VersionSerializer, request=PublishBody)
    def post(self, request: Request, owner: str, name: str) -> Response:
        body = self.parse(PublishBody, request.data)
        row = version_publish(
            actor=self.user,
            owner=owner,
            name=name,
            version=body["version"],
            license=body["license"],
            draft_id=str(body.get("draft_id", "")),
            visibility=body.get("visibility", ""),
            domain=body.get("domain", ""),
        )
        response = self.render(VersionSerializer, row, status=201)
        response["Location"] = links.operation("version", row.vector.owner.slug, row.vector.name, row.version)
        return response


class VectorInspect(Endpoint):
    """Read a native file as strictly as at publication, and say what is in it; nothing is stored."""

    permission_classes = [AnyToken]
    parser_classes = [UploadForm]
    too_large_code = "format.too_large"

    @operation("vectors_inspect", answer=OBJECT, request={UploadForm.media_type: VectorFileBody})
    def post(self, request: Request) -> Response:
        return Response(inspect_vector(self.parse(VectorFileBody, request.data)["file"].read()))


class VectorItem(VectorGet, VectorUpdate):
    """`/vectors/{owner}/{name}`"""
