"""Notifications on the wire."""

from typing import Any

from rest_framework import serializers

from registry.api import links
from registry.api.v1.serializers.common import Body
from registry.notifications.models import Kind, Notification


class NotificationQuery(Body):
    """Which ones."""

    unread = serializers.BooleanField(required=False, help_text="`true` for the unread ones alone.")


class NotificationSerializer(serializers.Serializer[Any]):
    """One line for one person."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    text = serializers.CharField()
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)
    url = serializers.SerializerMethodField(help_text="The page that it leads to.")

    def get_url(self, row: Notification) -> str:
        return links.page(row.link)


class WishesSerializer(serializers.Serializer[Any]):
    """What you want to be told: kinds that are shown, and kinds that come by mail too."""

    shown = serializers.ListField(child=serializers.ChoiceField(choices=Kind.choices))
    mailed = serializers.ListField(child=serializers.ChoiceField(choices=Kind.choices))


class WishesBody(Body):
    """Both lists in full; `security` is told whatever is sent."""

    shown = serializers.ListField(child=serializers.ChoiceField(choices=Kind.choices), max_length=20)
    mailed = serializers.ListField(child=serializers.ChoiceField(choices=Kind.choices), max_length=20)


class ReadAllSerializer(serializers.Serializer[Any]):
    """How many were unread."""

    read = serializers.IntegerField()
