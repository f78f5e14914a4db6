"""Webhooks on the wire; a secret stands in the answer that made it, and nowhere else."""

from typing import Any

from rest_framework import serializers

from registry.api import links
from registry.api.v1.serializers.common import Body, MomentField
from registry.core.naming import SLUG
from registry.webhooks.models import Delivery, Webhook
from registry.webhooks.patterns import MAX_PATTERNS, PATTERN
from registry.webhooks.services import MAX_DESCRIPTION, MAX_FOLLOWS
from registry.webhooks.targets import MAX_URL


class WebhookQuery(serializers.Serializer[Any]):
    """Whose webhooks."""

    namespace = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="Yours when not given."
    )


class ActionsField(serializers.ListField):
    """Patterns of actions."""

    def __init__(self, **options: Any) -> None:
        child = serializers.RegexField(rf"^(?:{PATTERN})\Z", max_length=60)
        super().__init__(child=child, allow_empty=False, max_length=MAX_PATTERNS, **options)


class FollowsField(serializers.ListField):
    """Names of namespaces."""

    def __init__(self, **options: Any) -> None:
        child = serializers.RegexField(rf"^(?:{SLUG})\Z", max_length=64)
        super().__init__(child=child, max_length=MAX_FOLLOWS, **options)


class WebhookChanges(Body):
    """What is left out stays as it is."""

    url = serializers.CharField(required=False, max_length=MAX_URL)
    actions = ActionsField(required=False)
    description = serializers.CharField(required=False, allow_blank=True, max_length=MAX_DESCRIPTION)
    follows = FollowsField(required=False)
    is_active = serializers.BooleanField(required=False)


class WebhookBody(Body):
    """A new webhook."""

    namespace = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="Yours when not given."
    )
    url = serializers.CharField(max_length=MAX_URL, help_text="https, on the public internet.")
    actions = ActionsField(help_text="Such as `version.published`, `version.*`, or `*` for all.")
    description = serializers.CharField(required=False, allow_blank=True, max_length=MAX_DESCRIPTION)
    follows = FollowsField(required=False, help_text="Namespaces whose public events it gets too.")


class WebhookSerializer(serializers.Serializer[Any]):
    """A webhook without its secret."""

    id = serializers.UUIDField()
    namespace = serializers.CharField(source="namespace.slug")
    url = serializers.CharField()
    description = serializers.CharField()
    actions = serializers.ListField(child=serializers.CharField())
    follows = serializers.ListField(child=serializers.CharField())
    is_active = serializers.BooleanField()
    disabled_reason = serializers.ChoiceField(
        choices=Webhook.Disabled.choices, allow_blank=True, help_text="Empty while it is active."
    )
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="When its first attempt failed after which none succeeded."
    )
    old_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when the secret before the last rotation signs too."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    deliveries_url = serializers.SerializerMethodField()

    def get_deliveries_url(self, row: Webhook) -> str:
        return links.operation("webhook-deliveries", row.pk)


class NewWebhookSerializer(WebhookSerializer):
    """A webhook with the secret that it was just given."""

    secret = serializers.CharField(help_text="Shown this once.")


class AttemptSerializer(serializers.Serializer[Any]):
    """What came of sending it once."""

    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True, help_text="Null where no answer came.")
    error = serializers.CharField(help_text="Why none came; else empty.")
    latency_ms = serializers.IntegerField()
    excerpt = serializers.CharField(help_text="How the answer began.")


class DeliverySerializer(serializers.Serializer[Any]):
    """A message to a webhook."""

    id = serializers.UUIDField()
    message_id = serializers.CharField(help_text="The header webhook-id, the same at every attempt.")
    action = serializers.CharField()
    state = serializers.ChoiceField(choices=Delivery.State.choices)
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True, help_text="When it is sent next; null for never.")
    body = serializers.CharField(help_text="The JSON text that is sent and signed.")
    attempts = AttemptSerializer(many=True)


class DeliveryQuery(serializers.Serializer[Any]):
    """Which deliveries."""

    state = serializers.ChoiceField(choices=Delivery.State.choices, required=False)


class ReplayBody(Body):
    """Since when."""

    since = MomentField(help_text="Messages that were made from then on.")


class ReplayedSerializer(serializers.Serializer[Any]):
    """How many are sent again."""

    replayed = serializers.IntegerField()
