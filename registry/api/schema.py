"""What spectacular cannot see by itself. The document is `GET /api/v1/openapi.json` and docs/openapi.json."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import is_list_serializer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import Direction, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from registry.api.permissions import ReadOrScopedWrite
from registry.core.naming import ALIAS, REFERENCE, SEMVER, SLUG

FILE = OpenApiTypes.BINARY
OBJECT = OpenApiTypes.OBJECT
IF_MATCH = OpenApiParameter(
    "If-Match",
    location=OpenApiParameter.HEADER,
    description="The ETag of what you have seen; 412 when it has changed since.",
)
# Parameters of paths -> what they look like.
PATTERNS = {
    **dict.fromkeys(("owner", "name", "slug", "team"), SLUG),
    "ref": REFERENCE,
    # Presets have no aliases; a draft is named by its id.
    "preset_ref": rf"latest|{SEMVER}|sha256:[0-9a-f]{{64}}|[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}",
    "alias": ALIAS,
    "version": SEMVER,
    "sha256": "[0-9a-f]{64}",
    "request_id": "[0-9a-f]{32}",
}
TEXT = r"^[^\u0000]*$"
# Python strips a few characters more than regular expressions take for spaces.
FILLED_TEXT = r"^[^\u0000]*[^\u0000\s\u001c-\u001f\u0085][^\u0000]*$"
# Narrower than RFC 5322, which allows what no mail server takes.
EMAIL = (
    r"^[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$"
)
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
    request_url = serializers.CharField(required=False, help_text="Of `access.gated`: where to ask.")
    purchase_url = serializers.CharField(
        required=False, help_text="Of `access.purchase_required`: the page that sells it."
    )


class BearerScheme(OpenApiAuthenticationExtension):
    """Names the token in the document."""

    target_class = "registry.api.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "brg_…"}


class ClosedBody(OpenApiSerializerExtension):
    """A body refuses fields that it does not know, and the document says so."""

    target_class = "registry.api.v1.serializers.common.Body"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        mapped: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**mapped, "additionalProperties": False}


def name_patterns(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The forms of names in paths, which are in no serializer."""
    for methods in result["paths"].values():
        for method in methods.values():
            for parameter in method.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in PATTERNS:
                    parameter["schema"]["pattern"] = f"^({PATTERNS[parameter['name']]})$"
    return result


class Schema(AutoSchema):
    """Says which operations work without a token, and which take an Idempotency-Key."""

    def _map_serializer_field(self, field: Any, direction: Direction, bypass_extensions: bool = False) -> Any:
        """What spectacular leaves out: how long lists may be, texts that may not be empty and hold no NUL."""
        mapped = super()._map_serializer_field(field, direction, bypass_extensions)
        if direction != "request" or mapped is None or "$ref" in mapped:
            return mapped
        if isinstance(field, serializers.ListField | serializers.ListSerializer):
            if not field.allow_empty:
                mapped.setdefault("minItems", 1)
            # The stubs do not know that a ListSerializer has one.
            if most := getattr(field, "max_length", None):
                mapped.setdefault("maxItems", most)
        if isinstance(field, serializers.FileField):
            # An empty file is read, and refused for what it lacks.
            mapped["minLength"] = 1
        if isinstance(field, serializers.EmailField):
            mapped["pattern"] = EMAIL
        if type(field) is serializers.CharField and "pattern" not in mapped:
            # Blanks make no text empty that is taken as it is.
            may_be_blank = field.allow_blank or not field.trim_whitespace
            mapped["pattern"] = TEXT if may_be_blank else FILLED_TEXT
        return mapped

    def _get_pagination_parameters(self) -> list[dict[str, Any]]:
        """Those of lists. Spectacular looks at the answer with the least status, which as a text is a 4XX."""
        answers, paginator = self.get_response_serializers(), self._get_paginator()
        is_list = isinstance(answers, dict) and any(map(is_list_serializer, answers.values()))
        return paginator.get_schema_operation_parameters(self.view) if is_list and paginator else []

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
