"""What becomes of vectors and versions: drafts, yank, deprecation, rename and transfer."""

import uuid

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.notices import with_notices
from registry.api.pagination import Cursor
from registry.api.permissions import ReadOrScopedManage, TokenReadOrScopedWrite
from registry.api.schema import operation
from registry.api.v1.serializers.lifecycle import DeprecationBody, MoveBody, YankBody
from registry.api.v1.serializers.vectors import VectorSerializer, VersionBriefSerializer, VersionSerializer
from registry.api.v1.versions import VersionGetById
from registry.catalog.drafts import draft_discard, draft_list
from registry.catalog.lifecycle import (
    vector_deprecate,
    vector_undeprecate,
    version_deprecate,
    version_undeprecate,
    version_unyank,
    version_yank,
)
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.notices import vector_notices, version_notices
from registry.catalog.transfers import vector_move


class VersionYank(Endpoint):
    """Withdraw a published version: `latest` and aliases skip it, an exact pin still resolves and carries the
    reason.
    """

    @operation("vectors_yank", answer=VersionSerializer, request=YankBody)
    def post(self, request: Request, owner: str, name: str, version: str) -> Response:
        body = self.parse(YankBody, request.data)
        row = version_yank(actor=self.user, owner=owner, name=name, version=version, reason=body["reason"])
        return _version(self, row)


class VersionUnyank(Endpoint):
    """Take a yank back."""

    @operation("vectors_unyank", answer=VersionSerializer, request=None)
    def post(self, request: Request, owner: str, name: str, version: str) -> Response:
        return _version(self, version_unyank(actor=self.user, owner=owner, name=name, version=version))


class VersionDeprecate(Endpoint):
    """Advise against a version; it resolves as before, with a warning."""

    @operation("vectors_version_deprecate", answer=VersionSerializer, request=DeprecationBody)
    def post(self, request: Request, owner: str, name: str, version: str) -> Response:
        body = self.parse(DeprecationBody, request.data)
        row = version_deprecate(actor=self.user, owner=owner, name=name, version=version, **body)
        return _version(self, row)


class VersionUndeprecate(Endpoint):
    """Take that back."""

    @operation("vectors_version_undeprecate", answer=VersionSerializer, request=None)
    def post(self, request: Request, owner: str, name: str, version: str) -> Response:
        return _version(self, version_undeprecate(actor=self.user, owner=owner, name=name, version=version))


class VectorDeprecate(Endpoint):
    """Advise against a vector; it resolves as before, with a warning."""

    @operation("vectors_deprecate", answer=VectorSerializer, request=DeprecationBody)
    def post(self, request: Request, owner: str, name: str) -> Response:
        body = self.parse(DeprecationBody, request.data)
        return _vector(self, vector_deprecate(actor=self.user, owner=owner, name=name, **body))


class VectorUndeprecate(Endpoint):
    """Take that back."""

    @operation("vectors_undeprecate", answer=VectorSerializer, request=None)
    def post(self, request: Request, owner: str, name: str) -> Response:
        return _vector(self, vector_undeprecate(actor=self.user, owner=owner, name=name))


class VectorTransfer(Endpoint):
    """Rename a vector or give it to another namespace; takes the role admin in both. Old names keep working,
    and are never given again.
    """

    permission_classes = [ReadOrScopedManage]

    @operation("vectors_transfer", answer=VectorSerializer, request=MoveBody)
    def post(self, request: Request, owner: str, name: str) -> Response:
        body = self.parse(MoveBody, request.data)
        row = vector_move(
            actor=self.user,
            owner=owner,
            name=name,
            to_owner=body.get("owner", ""),
            to_name=body.get("name", ""),
        )
        response = _vector(self, row)
        response["Location"] = links.operation("vector", row.owner.slug, row.name)
        return response


class DraftList(Endpoint):
    """The versions of a vector that are not published, newest first; takes the role writer."""

    permission_classes = [TokenReadOrScopedWrite]
    pagination_class = Cursor

    @operation("vectors_drafts_list", answer=VersionBriefSerializer(many=True))
    def get(self, request: Request, owner: str, name: str) -> Response:
        return self.render_page(VersionBriefSerializer, draft_list(actor=self.user, owner=owner, name=name))


class DraftDiscard(Endpoint):
    """Put a draft out of sight for good; what was published is yanked instead."""

    @operation("versions_discard", status=204, answer=None)
    def delete(self, request: Request, version_id: uuid.UUID) -> Response:
        draft_discard(actor=self.user, version_id=str(version_id))
        return Response(status=204)


class VersionByIdItem(VersionGetById, DraftDiscard):
    """`/versions/{id}`"""


def _version(view: Endpoint, row: VectorVersion) -> Response:
    response = view.render(VersionSerializer, row)
    with_notices(response, version_notices(row))
    return response


def _vector(view: Endpoint, row: Vector) -> Response:
    response = view.render(VectorSerializer, row)
    with_notices(response, vector_notices(row))
    return response
