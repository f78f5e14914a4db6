"""Who the token belongs to, and the OpenAPI document."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.models import ApiToken
from registry.accounts.selectors import membership_list
from registry.api.endpoint import Endpoint
from registry.api.permissions import AnyToken
from registry.api.schema import operation
from registry.api.v1.serializers.organisations import NamespaceSerializer


class MeSerializer(serializers.Serializer[Any]):
    """The user and what the token may do."""

    username = serializers.CharField(source="user.username")
    scopes = serializers.ListField(child=serializers.CharField())
    namespaces = serializers.SerializerMethodField(help_text="What you belong to, and as what.")

    @extend_schema_field(NamespaceSerializer(many=True))
    def get_namespaces(self, token: ApiToken) -> list[dict[str, Any]]:
        rows = membership_list(user=token.user)
        return [dict(NamespaceSerializer(row).data) for row in rows]


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
