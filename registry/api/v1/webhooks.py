"""Webhooks of a namespace, what was delivered to them, and replay; for admins of the namespace."""

import uuid

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.permissions import TokenReadOrScopedManage
from registry.api.schema import operation
from registry.api.v1.serializers.webhooks import (
    DeliveryQuery,
    DeliverySerializer,
    NewWebhookSerializer,
    ReplayBody,
    ReplayedSerializer,
    WebhookBody,
    WebhookChanges,
    WebhookQuery,
    WebhookSerializer,
)
from registry.webhooks.models import Webhook
from registry.webhooks.selectors import delivery_list, webhook_get, webhook_list
from registry.webhooks.services import (
    NewWebhook,
    deliveries_replay,
    delivery_replay,
    webhook_create,
    webhook_delete,
    webhook_rotate,
    webhook_test,
    webhook_update,
)


class WebhookEndpoint(Endpoint):
    """What all of these share."""

    permission_classes = [TokenReadOrScopedManage]

    def with_secret(self, row: Webhook, secret: str, *, status: int) -> Response:
        """A webhook and the secret that it was just given."""
        return Response({**self.wire(WebhookSerializer, row), "secret": secret}, status=status)


class WebhookList(WebhookEndpoint):
    """The webhooks of a namespace, newest first: yours, or those of an organisation whose admin you are."""

    pagination_class = Cursor

    @operation("webhooks_list", answer=WebhookSerializer(many=True), parameters=[WebhookQuery])
    def get(self, request: Request) -> Response:
        namespace = self.parse(WebhookQuery, request.query_params).get("namespace", "")
        return self.render_page(WebhookSerializer, webhook_list(viewer=self.user, namespace=namespace))


class WebhookCreate(WebhookEndpoint):
    """Have events of a namespace sent to an address. The answer has the secret that signs them, this once."""

    @operation("webhooks_create", status=201, answer=NewWebhookSerializer, request=WebhookBody)
    def post(self, request: Request) -> Response:
        wanted = NewWebhook(**self.parse(WebhookBody, request.data))
        row, secret = webhook_create(actor=self.user, wanted=wanted)
        response = self.with_secret(row, secret, status=201)
        response["Location"] = links.operation("webhook", row.pk)
        return response


class WebhookGet(WebhookEndpoint):
    """One webhook, without its secret."""

    @operation("webhooks_get", answer=WebhookSerializer)
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        return self.render(WebhookSerializer, webhook_get(viewer=self.user, webhook_id=str(webhook_id)))


class WebhookUpdate(WebhookEndpoint):
    """Change a webhook. `is_active` switches it off, which gives up what waits, and on again."""

    @operation("webhooks_update", answer=WebhookSerializer, request=WebhookChanges)
    def patch(self, request: Request, webhook_id: uuid.UUID) -> Response:
        changes = self.parse(WebhookChanges, request.data)
        row = webhook_update(actor=self.user, webhook_id=str(webhook_id), **changes)
        return self.render(WebhookSerializer, row)


class WebhookDelete(WebhookEndpoint):
    """End a webhook, and forget what was delivered to it."""

    @operation("webhooks_delete", status=204, answer=None)
    def delete(self, request: Request, webhook_id: uuid.UUID) -> Response:
        webhook_delete(actor=self.user, webhook_id=str(webhook_id))
        return Response(status=204)


class WebhookRotate(WebhookEndpoint):
    """Give a webhook a new secret, shown this once; the old one signs beside it for 24 hours."""

    @operation("webhooks_rotate", answer=NewWebhookSerializer, request=None)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        row, secret = webhook_rotate(actor=self.user, webhook_id=str(webhook_id))
        return self.with_secret(row, secret, status=200)


class WebhookTest(WebhookEndpoint):
    """Queue a message of the action `webhook.test`; its delivery says what came of it."""

    bucket = "jobs"

    @operation("webhooks_test", status=202, answer=DeliverySerializer, request=None)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        row = webhook_test(actor=self.user, webhook_id=str(webhook_id))
        return self.render(DeliverySerializer, row, status=202)


class DeliveryList(WebhookEndpoint):
    """What was sent to a webhook in the last 30 days and what waits, newest first, with every attempt."""

    pagination_class = Cursor

    @operation("webhooks_deliveries", answer=DeliverySerializer(many=True), parameters=[DeliveryQuery])
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        state = self.parse(DeliveryQuery, request.query_params).get("state", "")
        webhook = webhook_get(viewer=self.user, webhook_id=str(webhook_id))
        return self.render_page(DeliverySerializer, delivery_list(webhook=webhook, state=state))


class DeliveryReplay(WebhookEndpoint):
    """Send a delivery again, also one that arrived, under the same `webhook-id`."""

    bucket = "jobs"

    @operation("webhooks_deliveries_replay", status=202, answer=DeliverySerializer, request=None)
    def post(self, request: Request, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> Response:
        row = delivery_replay(actor=self.user, webhook_id=str(webhook_id), delivery_id=str(delivery_id))
        return self.render(DeliverySerializer, row, status=202)


class FailedReplay(WebhookEndpoint):
    """Send again all messages since a moment that were given up."""

    bucket = "jobs"

    @operation("webhooks_replay", status=202, answer=ReplayedSerializer, request=ReplayBody)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        since = self.parse(ReplayBody, request.data)["since"]
        replayed = deliveries_replay(actor=self.user, webhook_id=str(webhook_id), since=since)
        return Response({"replayed": replayed}, status=202)


class WebhookCollection(WebhookList, WebhookCreate):
    """`/webhooks`"""


class WebhookItem(WebhookGet, WebhookUpdate, WebhookDelete):
    """`/webhooks/{id}`"""
