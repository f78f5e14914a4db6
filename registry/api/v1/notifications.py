"""What you are told, and what you want to be told."""

import uuid

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.permissions import TokenReadOrScopedWrite
from registry.api.schema import operation
from registry.api.v1.serializers.notifications import (
    NotificationQuery,
    NotificationSerializer,
    ReadAllSerializer,
    WishesBody,
    WishesSerializer,
)
from registry.notifications.selectors import notification_list, wishes_get
from registry.notifications.services import notification_read, notifications_read_all, wishes_set


class NotificationList(Endpoint):
    """What you were told, newest first."""

    permission_classes = [TokenReadOrScopedWrite]
    pagination_class = Cursor

    @operation("notifications_list", answer=NotificationSerializer(many=True), parameters=[NotificationQuery])
    def get(self, request: Request) -> Response:
        asked = {key: text for key, text in request.query_params.items() if key not in ("cursor", "limit")}
        unread = self.parse(NotificationQuery, asked).get("unread", False)
        rows = notification_list(viewer=self.user, is_read=False if unread else None)
        return self.render_page(NotificationSerializer, rows)


class NotificationReadAll(Endpoint):
    """Mark all as read."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("notifications_read_all", answer=ReadAllSerializer, request=None)
    def post(self, request: Request) -> Response:
        return self.render(ReadAllSerializer, {"read": notifications_read_all(actor=self.user)})


class NotificationRead(Endpoint):
    """Mark one as read; twice is no error."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("notifications_read", answer=NotificationSerializer, request=None)
    def post(self, request: Request, notification_id: uuid.UUID) -> Response:
        row = notification_read(actor=self.user, notification_id=str(notification_id))
        return self.render(NotificationSerializer, row)


class NotificationWishes(Endpoint):
    """What you want to be told."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("notifications_wishes", answer=WishesSerializer)
    def get(self, request: Request) -> Response:
        return self.render(WishesSerializer, wishes_get(user=self.user))

    @operation("notifications_wishes_set", answer=WishesSerializer, request=WishesBody)
    def put(self, request: Request) -> Response:
        wanted = self.parse(WishesBody, request.data)
        return self.render(WishesSerializer, wishes_set(actor=self.user, **wanted))
