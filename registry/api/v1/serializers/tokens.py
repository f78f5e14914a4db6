"""Access tokens on the wire; a token's text stands in the answer that made it, and nowhere else."""

from typing import Any

from rest_framework import serializers

from registry.accounts.models import ApiToken
from registry.accounts.services import MAX_LEAKS
from registry.api.v1.serializers.common import Body, MomentField


class TokenBody(Body):
    """A new token."""

    name = serializers.CharField(max_length=80, help_text="Where it will be used.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=ApiToken.Scope.choices), allow_empty=False, max_length=3
    )
    expires_at = MomentField(
        required=False, allow_null=True, help_text="Null for no expiry, or that of the token that asks."
    )


class LeakBody(Body):
    """Texts that were found where they do not belong."""

    tokens = serializers.ListField(
        child=serializers.CharField(max_length=200, trim_whitespace=False),
        allow_empty=False,
        max_length=MAX_LEAKS,
    )


class TokenSerializer(serializers.Serializer[Any]):
    """A token without its text."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How its text begins.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=ApiToken.Scope.choices))
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")


class NewTokenSerializer(TokenSerializer):
    """A new token with its text."""

    token = serializers.CharField(help_text="Shown this once.")
