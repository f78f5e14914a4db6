"""What spectacular cannot see by itself. The document is `GET /api/v1/openapi.json` and docs/openapi.json."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from registry.api.permissions import ReadOrScopedWrite

FILE = OpenApiTypes.BINARY
OBJECT = OpenApiTypes.OBJECT
Method = TypeVar("Method", bound=Callable[..., Any])
KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="At most 200 printable ASCII characters. The same key and request give the same answer.",
)


class FaultSerializer(serializers.Serializer[Any]):
    """One thing that is wrong with a request."""

    pointer = serializers.CharField(help_text="JSON pointer to the field; empty for the whole body.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable; docs/api.md lists the codes."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What came, what was expected and what to do.")
    code = serializers.CharField()
    errors = FaultSerializer(many=True)  # type: ignore[assignment]  # the wire's name, not DRF's property
    request_id = serializers.CharField()


class BearerScheme(OpenApiAuthenticationExtension):
    """Names the token in the document."""

    target_class = "registry.api.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "brg_…"}


class Schema(AutoSchema):
    """Says which operations work without a token, and which take an Idempotency-Key."""

    def get_override_parameters(self) -> list[Any]:
        keyed = self.method == "POST" and {} not in self.get_auth()
        return [*super().get_override_parameters(), *([KEY_HEADER] if keyed else [])]

    def get_auth(self) -> list[dict[str, Any]]:
        permissions = self.view.get_permissions()
        anonymous = all(
            isinstance(p, ReadOrScopedWrite) and p.allows_anonymous(self.method) for p in permissions
        )
        return [*super().get_auth(), {}] if anonymous else super().get_auth()


def operation(
    operation_id: str,
    *,
    answer: Any,
    status: int = 200,
    media_type: str = "application/json",
    also: dict[Any, Any] | None = None,
    **details: Any,
) -> Callable[[Method], Method]:
    """`extend_schema` with the answer, and with the problem that any operation may give."""
    problem = OpenApiResponse(ProblemSerializer, description="A problem.")
    responses: dict[Any, Any] = {(status, media_type): answer, **(also or {})}
    responses["4XX", "application/problem+json"] = problem
    return extend_schema(operation_id=operation_id, responses=responses, **details)
