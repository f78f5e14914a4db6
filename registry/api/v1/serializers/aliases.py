"""Aliases and their history on the wire."""

from typing import Any

from rest_framework import serializers

from registry.api.v1.serializers.common import Body
from registry.catalog.models import AliasEvent
from registry.catalog.states import VersionState


class AliasBody(Body):
    """Where an alias is to point."""

    version = serializers.CharField(max_length=40, help_text="MAJOR.MINOR.PATCH of a published version.")
    is_protected = serializers.BooleanField(
        required=False, help_text="Only admins move it, only to pass or warn; left out, it stays as it is."
    )


class AliasSerializer(serializers.Serializer[Any]):
    """A name for a version that moves."""

    name = serializers.CharField()
    version = serializers.CharField(source="version.version")
    digest = serializers.CharField(source="version.digest")
    state = serializers.ChoiceField(
        source="version.state",
        choices=VersionState.choices,
        help_text="Of the version; an alias resolves only while it is published.",
    )
    is_protected = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class AliasEventSerializer(serializers.Serializer[Any]):
    """A change of an alias: what it pointed at before and after; null for nothing."""

    at = serializers.DateTimeField(source="created_at")
    before = serializers.CharField(source="before.version", default=None, allow_null=True)
    after = serializers.CharField(source="after.version", default=None, allow_null=True)
    is_protected = serializers.BooleanField()
    actor = serializers.SerializerMethodField(help_text="For those with a role on the vector; else empty.")

    def get_actor(self, row: AliasEvent) -> str:
        return row.actor if self.context["has_role"] else ""
