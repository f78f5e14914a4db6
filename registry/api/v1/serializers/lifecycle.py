"""Notices, deprecation and moves on the wire."""

from typing import Any

from rest_framework import serializers

from registry.api.v1.serializers.common import Body


class NoticeSerializer(serializers.Serializer[Any]):
    """What a user should know; it keeps nobody from the file."""

    code = serializers.CharField(help_text="Stable; docs/api.md lists them.")
    message = serializers.CharField()


class RetirableSerializer(serializers.Serializer[Any]):
    """What its owner says against using something."""

    deprecated_at = serializers.DateTimeField(allow_null=True)
    deprecation_reason = serializers.CharField()
    replacement = serializers.CharField(help_text="What to use instead; empty if nothing was named.")


class DeprecationBody(Body):
    """Why something should not be used any more."""

    reason = serializers.CharField(max_length=500, allow_blank=True)
    replacement = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=210,
        help_text="What to use instead: owner/name or owner/name@1.0.0.",
    )


class YankBody(Body):
    """Why a version should not be used any more."""

    reason = serializers.CharField(max_length=500, allow_blank=True)


class MoveBody(Body):
    """Another owner, another name, or both; what is left out stays."""

    owner = serializers.CharField(required=False, max_length=64, help_text="A namespace whose admin you are.")
    name = serializers.CharField(required=False, max_length=64)
