"""Report what should not be here to the operators, and the queue in which staff decide."""

import uuid

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.permissions import ReadOrScopedManage, TokenReadOrScopedManage
from registry.api.schema import operation
from registry.api.v1.serializers.review import (
    FlagBody,
    FlagDecisionBody,
    FlagQuery,
    FlagSerializer,
    ReviewFlagSerializer,
)
from registry.trust.flags import Decision, flag_decide, flag_get, flag_list, flag_open


class FlagEndpoint(Endpoint):
    """Takes a report."""

    def flag(self, kind: str, owner: str, name: str) -> Response:
        """201 with the report; 200 with the one that is open already."""
        body = self.parse(FlagBody, self.request.data)
        row, is_new = flag_open(actor=self.user, kind=kind, owner=owner, name=name, **body)
        return self.render(FlagSerializer, row, status=201 if is_new else 200)


class VectorFlag(FlagEndpoint):
    """Report a vector to the operators. While your report of it is open, another one changes nothing: 200
    with the first. Its owner learns what is decided, not who spoke.
    """

    @operation(
        "vectors_flag",
        status=201,
        answer=FlagSerializer,
        request=FlagBody,
        also={(200, "application/json"): FlagSerializer},
    )
    def post(self, request: Request, owner: str, name: str) -> Response:
        return self.flag("vector", owner, name)


class PresetFlag(FlagEndpoint):
    """Report a preset to the operators, as a vector."""

    @operation(
        "presets_flag",
        status=201,
        answer=FlagSerializer,
        request=FlagBody,
        also={(200, "application/json"): FlagSerializer},
    )
    def post(self, request: Request, owner: str, name: str) -> Response:
        return self.flag("preset", owner, name)


class DatasetFlag(FlagEndpoint):
    """Report a dataset to the operators, as a vector."""

    @operation(
        "datasets_flag",
        status=201,
        answer=FlagSerializer,
        request=FlagBody,
        also={(200, "application/json"): FlagSerializer},
    )
    def post(self, request: Request, owner: str, name: str) -> Response:
        return self.flag("dataset", owner, name)


class FlagList(Endpoint):
    """What users reported and what the service found, newest first; for staff, others find nothing here."""

    permission_classes = [TokenReadOrScopedManage]
    pagination_class = Cursor

    @operation("flags_list", answer=ReviewFlagSerializer(many=True), parameters=[FlagQuery])
    def get(self, request: Request) -> Response:
        query = self.parse(FlagQuery, request.query_params)
        return self.render_page(ReviewFlagSerializer, flag_list(actor=self.user, **query))


class FlagGet(Endpoint):
    """One report, for staff."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("flags_get", answer=ReviewFlagSerializer)
    def get(self, request: Request, flag_id: uuid.UUID) -> Response:
        return self.render(ReviewFlagSerializer, flag_get(actor=self.user, flag_id=str(flag_id)))


class FlagDecide(Endpoint):
    """Dismiss a report, or deprecate, take down or hide what it is about, and close it; for staff. What was
    hidden can be `unhidden` later.
    """

    permission_classes = [ReadOrScopedManage]

    @operation("flags_decide", answer=ReviewFlagSerializer, request=FlagDecisionBody)
    def post(self, request: Request, flag_id: uuid.UUID) -> Response:
        decision = Decision(**self.parse(FlagDecisionBody, request.data))
        row = flag_decide(actor=self.user, flag_id=str(flag_id), decision=decision)
        return self.render(ReviewFlagSerializer, row)
