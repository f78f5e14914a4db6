"""Resolving on the wire. The answers are built plain in `v1.resolve`; these describe them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from registry.api.v1.serializers.common import Body, VisibilityField
from registry.api.v1.serializers.lifecycle import NoticeSerializer
from registry.catalog.gating import FILE_STATES
from registry.catalog.resolving import KINDS
from registry.catalog.states import VersionState

MAX_REFERENCES = 100
REFERENCE_HELP = "owner/name@ref, sha256:<64 hex digits>, or preset:owner/name@ref."


class ReferenceQuery(serializers.Serializer[Any]):
    """What to resolve."""

    reference = serializers.CharField(max_length=300, help_text=REFERENCE_HELP)


class ReferencesBody(Body):
    """What to resolve, at once."""

    references = serializers.ListField(
        child=serializers.CharField(max_length=300, help_text=REFERENCE_HELP),
        min_length=1,
        max_length=MAX_REFERENCES,
    )


class DigestsBody(Body):
    """Files by their sha256."""

    digests = serializers.ListField(
        child=serializers.RegexField(r"^sha256:[0-9a-f]{64}\Z"), min_length=1, max_length=MAX_REFERENCES
    )


class ResolvedModelSerializer(serializers.Serializer[Any]):
    """The base model that it is for."""

    name = serializers.CharField()
    model_hash = serializers.CharField()


class ResolvedFileSerializer(serializers.Serializer[Any]):
    """A file, and where it is; the address takes the caller's token where the vector is not public."""

    name = serializers.CharField(help_text="vector.safetensors, conformance.json or preset.json.")
    digest = serializers.CharField()
    size_bytes = serializers.IntegerField()
    media_type = serializers.CharField()
    url = serializers.CharField()


class ResolvedVectorSerializer(serializers.Serializer[Any]):
    """What a reference leads to."""

    reference = serializers.CharField(help_text="As it was asked.")
    kind = serializers.ChoiceField(choices=KINDS)
    owner = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    digest = serializers.CharField(help_text="Of the main file.")
    state = serializers.ChoiceField(choices=VersionState.choices)
    visibility = VisibilityField()
    verdict = serializers.CharField()
    grade = serializers.CharField()
    license = serializers.CharField()
    base_model = ResolvedModelSerializer()
    access = serializers.ChoiceField(choices=FILE_STATES)
    files = ResolvedFileSerializer(many=True, help_text="Empty where access keeps them back.")
    warnings = NoticeSerializer(many=True)
    page = serializers.CharField()


class ResolvedSerializer(ResolvedVectorSerializer):
    """What a reference leads to; a preset with its members, so that one request is enough to pull it."""

    vectors = ResolvedVectorSerializer(many=True, required=False, help_text="Of a preset: its members.")


@extend_schema_field(
    {
        "type": "array",
        "items": {"oneOf": [{"$ref": "#/components/schemas/Resolved"}, {"type": "null"}]},
    }
)
class ResolvedItems(serializers.ListField):
    """Objects or null; a list of serializers cannot say the latter."""


class ResolvedListSerializer(serializers.Serializer[Any]):
    """In the order asked; null for what is unknown or not the caller's to see."""

    items = ResolvedItems()
