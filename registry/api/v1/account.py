"""Who the token belongs to, and the OpenAPI document."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api.endpoint import Endpoint
from registry.api.permissions import AnyToken
from registry.api.schema import operation


class MeSerializer(serializers.Serializer[Any]):
    """The user and what the token may do."""

    username = serializers.CharField(source="user.username")
    scopes = serializers.ListField(child=serializers.CharField())


class Me(Endpoint):
    """Whose token this is."""

    permission_classes = [AnyToken]

    @operation("me", answer=MeSerializer)
    def get(self, request: Request) -> Response:
        return self.render(MeSerializer, request.auth)


class OpenApi(Endpoint):
    """The description of this interface."""

    schema = None

    def get(self, request: Request) -> Response:
        return Response(openapi_document())


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI 3.1 document, made once per process."""
    return dict(SchemaGenerator().get_schema(request=None, public=True))
