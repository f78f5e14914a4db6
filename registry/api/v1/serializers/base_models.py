"""Base models on the wire."""

from typing import Any

from rest_framework import serializers


class BaseModelSerializer(serializers.Serializer[Any]):
    """A base model revision; `model_hash` decides, the name is for people."""

    name = serializers.CharField()
    model_hash = serializers.CharField()
    architecture = serializers.CharField()
    n_layers = serializers.IntegerField()
    d_model = serializers.IntegerField()
    scorer = serializers.CharField(help_text="Which exact scorer belongs to it; empty for none.")
    suite = serializers.CharField(
        source="suite_digest",
        allow_null=True,
        help_text="Digest of the prompts that operators brought to measure with; null for none, and where "
        "the scorer brings its own.",
    )
    registered_at = serializers.DateTimeField(source="created_at")
