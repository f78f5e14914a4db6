"""What happened in a namespace, for its admins."""

import re
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.selectors import EventQuery, event_list
from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor, page_limit
from registry.api.permissions import TokenReadOrScopedManage
from registry.api.schema import operation
from registry.api.v1.serializers.common import Body
from registry.audit.models import AuditEvent
from registry.core.errors import InvalidError

LARGEST_ID = 2**63 - 1


class AuditQuery(Body):
    """Which events."""

    namespace = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="Yours when not given."
    )
    action = serializers.RegexField(
        r"^[a-z_]+(\.[a-z_]+)?\Z",
        required=False,
        max_length=60,
        help_text="Such as `version.published`, or `version` for all of these.",
    )
    after = serializers.IntegerField(
        required=False, min_value=0, max_value=LARGEST_ID, help_text="Only events with a higher id."
    )


class AuditEventSerializer(serializers.Serializer[Any]):
    """One thing that somebody did."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    actor = serializers.CharField(help_text="Username; empty for the service itself.")
    namespace = serializers.CharField()
    subject = serializers.CharField(help_text="What it was about, as it was called then.")
    data = serializers.DictField()  # type: ignore[assignment]  # the wire's name, not DRF's property


class EventCursor(Cursor):
    """Newest first by id alone, as the index of a namespace's log has it; the cursor is the last id shown."""

    def paginate_queryset(self, queryset: Any, request: Request, view: object | None = None) -> list[Any]:
        self.request = request
        limit = page_limit(request.query_params.get("limit", ""))
        rows: QuerySet[AuditEvent] = queryset
        if cursor := request.query_params.get("cursor"):
            rows = rows.filter(pk__lt=_id_of(cursor))
        page = list(rows.order_by("-pk")[: limit + 1])
        self.next_cursor = str(page[limit - 1].pk) if len(page) > limit else None
        return page[:limit]


class AuditList(Endpoint):
    """The log of a namespace, newest first: your own, or that of an organisation whose admin you are."""

    permission_classes = [TokenReadOrScopedManage]
    pagination_class = EventCursor

    @operation("audit_list", answer=AuditEventSerializer(many=True), parameters=[AuditQuery])
    def get(self, request: Request) -> Response:
        asked = {key: text for key, text in request.query_params.items() if key not in ("cursor", "limit")}
        rows = event_list(viewer=self.user, query=EventQuery(**self.parse(AuditQuery, asked)))
        paginator = EventCursor()
        page = paginator.paginate_queryset(rows, request, view=self)
        return paginator.get_paginated_response([self.wire(AuditEventSerializer, row) for row in page])


def _id_of(cursor: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", cursor):
        raise InvalidError(
            "this cursor is not valid; send the next_cursor of the page before unchanged, or none at all",
            code="cursor.invalid",
            fields={"cursor": "not a cursor"},
        )
    return int(cursor)
