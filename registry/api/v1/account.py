"""Who the token belongs to, who an owner is, and the OpenAPI document."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.models import ApiToken
from registry.accounts.organisations import profile_update
from registry.accounts.selectors import membership_list, namespace_get
from registry.api.endpoint import Endpoint
from registry.api.permissions import TokenReadOrScopedManage
from registry.api.schema import operation
from registry.api.v1.serializers.organisations import NamespaceSerializer, ProfileSerializer, WordsBody


class MeSerializer(serializers.Serializer[Any]):
    """The user and what the token may do."""

    username = serializers.CharField(source="user.username")
    scopes = serializers.ListField(child=serializers.CharField())
    namespaces = serializers.SerializerMethodField(help_text="What you belong to, and as what.")

    @extend_schema_field(NamespaceSerializer(many=True))
    def get_namespaces(self, token: ApiToken) -> list[dict[str, Any]]:
        rows = membership_list(user=token.user)
        return [dict(NamespaceSerializer(row).data) for row in rows]


class MeGet(Endpoint):
    """Whose token this is."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("me", answer=MeSerializer)
    def get(self, request: Request) -> Response:
        return self.render(MeSerializer, request.auth)


class MeUpdate(Endpoint):
    """Change the words on your profile."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("me_update", answer=ProfileSerializer, request=WordsBody)
    def patch(self, request: Request) -> Response:
        profile_update(actor=self.user, **self.parse(WordsBody, request.data))
        return self.render(ProfileSerializer, namespace_get(viewer=self.user, slug=self.user.username))


class OwnerGet(Endpoint):
    """A person or an organisation by name: the words around it, and what you are in it."""

    @operation("owners_get", answer=ProfileSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return self.render(ProfileSerializer, namespace_get(viewer=request.user, slug=slug))


class OpenApi(Endpoint):
    """The description of this interface."""

    schema = None

    def get(self, request: Request) -> Response:
        return Response(openapi_document())


class MeItem(MeGet, MeUpdate):
    """`/me`"""


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI 3.1 document, made once per process."""
    return dict(SchemaGenerator().get_schema(request=None, public=True))
