"""Who may have the files of a vector: the rule, requests for access, and what admins decide."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.permissions import ReadOrScopedManage, TokenReadOrScopedManage, TokenReadOrScopedWrite
from registry.api.schema import operation
from registry.api.v1.serializers.gating import (
    AccessBody,
    AccessQuery,
    AccessRequestBody,
    AccessRequestSerializer,
    AccessSerializer,
    DecisionBody,
)
from registry.api.v1.serializers.vectors import access_of
from registry.catalog.gating import (
    access_ask,
    access_decide,
    access_request_get,
    access_request_list,
    access_set,
    access_withdraw,
)
from registry.catalog.models import Vector
from registry.catalog.selectors import vector_get


class AccessEndpoint(Endpoint):
    """Answers with the rule."""

    permission_classes = [ReadOrScopedManage]

    def rule(self, row: Vector) -> Response:
        """The rule of a vector for this viewer."""
        said: dict[str, Any] = {"mode": row.access_mode, "terms": row.access_terms}
        return self.render(AccessSerializer, access_of(self.request.user, row) | said)


class AccessGet(AccessEndpoint):
    """Whether you may have the files, and what to accept when you ask."""

    @operation("vectors_access_get", answer=AccessSerializer)
    def get(self, request: Request, owner: str, name: str) -> Response:
        return self.rule(vector_get(viewer=request.user, owner=owner, name=name))


class AccessSet(AccessEndpoint):
    """Say who may have the files; takes the role admin. Whoever was let in before stays so."""

    @operation("vectors_access_set", answer=AccessSerializer, request=AccessBody)
    def put(self, request: Request, owner: str, name: str) -> Response:
        body = self.parse(AccessBody, request.data)
        return self.rule(access_set(actor=self.user, owner=owner, name=name, **body))


class AccessRequestGet(Endpoint):
    """Your request for access."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("vectors_access_request_get", answer=AccessRequestSerializer)
    def get(self, request: Request, owner: str, name: str) -> Response:
        row = access_request_get(viewer=self.user, owner=owner, name=name)
        return self.render(AccessRequestSerializer, row)


class AccessRequestMake(Endpoint):
    """Ask for the files of a gated vector. In automatic mode accepting the terms grants them at once."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation(
        "vectors_access_request",
        status=201,
        answer=AccessRequestSerializer,
        request=AccessRequestBody,
        also={(200, "application/json"): AccessRequestSerializer},
    )
    def post(self, request: Request, owner: str, name: str) -> Response:
        body = self.parse(AccessRequestBody, request.data)
        row, is_new = access_ask(actor=self.user, owner=owner, name=name, **body)
        return self.render(AccessRequestSerializer, row, status=201 if is_new else 200)


class AccessRequestWithdraw(Endpoint):
    """Take your request back, or give up what was granted."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("vectors_access_request_withdraw", answer=AccessRequestSerializer)
    def delete(self, request: Request, owner: str, name: str) -> Response:
        row = access_withdraw(actor=self.user, owner=owner, name=name)
        return self.render(AccessRequestSerializer, row)


class AccessRequestList(Endpoint):
    """Who asked for the files, newest first; takes the role admin."""

    permission_classes = [TokenReadOrScopedManage]
    pagination_class = Cursor

    @operation(
        "vectors_access_requests_list", answer=AccessRequestSerializer(many=True), parameters=[AccessQuery]
    )
    def get(self, request: Request, owner: str, name: str) -> Response:
        state = self.parse(AccessQuery, request.query_params).get("state", "")
        rows = access_request_list(actor=self.user, owner=owner, name=name, state=state)
        return self.render_page(AccessRequestSerializer, rows)


class AccessRequestDecide(Endpoint):
    """Grant, deny or revoke; takes the role admin."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("vectors_access_requests_decide", answer=AccessRequestSerializer, request=DecisionBody)
    def patch(self, request: Request, owner: str, name: str, username: str) -> Response:
        body = self.parse(DecisionBody, request.data)
        row = access_decide(actor=self.user, owner=owner, name=name, username=username, **body)
        return self.render(AccessRequestSerializer, row)


class AccessItem(AccessGet, AccessSet):
    """`/vectors/{owner}/{name}/access`"""


class AccessRequestItem(AccessRequestGet, AccessRequestMake, AccessRequestWithdraw):
    """`/vectors/{owner}/{name}/access-request`"""
