"""Pages by cursor: `{"items", "next_cursor"}` and a Link header. A cursor names the last row that was shown.

Rows that come in between two pages move nothing, unlike page numbers.
"""

import base64
import binascii
import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from registry.core.errors import InvalidError

DEFAULT_LIMIT = 20
MAX_LIMIT = 100


@runtime_checkable
class Paged(Protocol):
    """What gives its pages itself, such as a search."""

    def page(self, limit: int, cursor: str = "") -> tuple[Sequence[Any], str]:
        """The rows after a cursor, and the cursor after them, empty on the last page."""


class Cursor(BasePagination):
    """Newest first by (created_at, id), the given order for a list that is already sorted, or a search's."""

    next_cursor: str | None = None

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any] | Paged, request: Request, view: object | None = None
    ) -> list[Any]:
        """One page of rows with `created_at` and `id`.

        Raises:
            InvalidError: a cursor that this service did not give out.
            ValidationError: a limit outside 1 to 100.
        """
        self.request = request
        limit = self.limit(request.query_params.get("limit", ""))
        if isinstance(queryset, Paged):
            found, following = queryset.page(limit, request.query_params.get("cursor", ""))
            self.next_cursor = following or None
            return list(found)
        after = decode(request.query_params["cursor"]) if request.query_params.get("cursor") else None
        if isinstance(queryset, QuerySet):
            rows = list(_rows_after(queryset, after)[: limit + 1])
        else:
            rows = _items_after(queryset, after)[: limit + 1]
        self.next_cursor = encode(rows[limit - 1]) if len(rows) > limit else None
        return rows[:limit]

    def limit(self, text: str) -> int:
        """How many rows a page holds, as asked."""
        return page_limit(text)

    def get_paginated_response(self, data: Any) -> Response:
        response = Response({"items": data, "next_cursor": self.next_cursor})
        if self.next_cursor:
            url = replace_query_param(self.request.build_absolute_uri(), "cursor", self.next_cursor)
            response["Link"] = f'<{url}>; rel="next"'
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        cursor = {
            "type": ["string", "null"],
            "description": "Send it as `cursor` for the next page; null on the last.",
        }
        return {
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {"items": schema, "next_cursor": cursor},
        }

    def get_schema_operation_parameters(self, view: object) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "schema": {"type": "string"},
                "description": "The `next_cursor` of the page before, unchanged.",
            },
            {"name": "limit", "in": "query", "required": False, "schema": limit},
        ]


def encode(row: Any) -> str:
    """The cursor after this row."""
    text = json.dumps([row.created_at.isoformat(), str(row.pk)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[datetime, uuid.UUID]:
    """The moment and the id that a cursor names.

    Raises:
        InvalidError: it is not a cursor.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        moment, row_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        at = parse_datetime(moment)
        if at is None or at.tzinfo is None:
            raise ValueError("no moment")
        return at, uuid.UUID(row_id)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error) as error:
        raise InvalidError(
            "this cursor is not valid; send the next_cursor of the page before unchanged, or none at all",
            code="cursor.invalid",
            fields={"cursor": "not a cursor"},
        ) from error


def page_limit(text: str) -> int:
    """How many rows a page holds.

    Raises:
        ValidationError: a limit outside 1 to 100.
    """
    if not text:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise ValidationError({"limit": [f"expected a number from 1 to {MAX_LIMIT}"]})


def _rows_after(rows: QuerySet[Any], after: tuple[datetime, uuid.UUID] | None) -> QuerySet[Any]:
    if after is not None:
        at, row_id = after
        rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=row_id))
    return rows.order_by("-created_at", "-pk")


def _items_after(items: Sequence[Any], after: tuple[datetime, uuid.UUID] | None) -> list[Any]:
    if after is None:
        return list(items)
    place = next((index for index, row in enumerate(items) if row.pk == after[1]), len(items) - 1)
    return list(items[place + 1 :])
