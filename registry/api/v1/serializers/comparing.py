"""Differences and referrers on the wire."""

from typing import Any

from rest_framework import serializers

from registry.api.v1.referrers import TYPES
from registry.api.v1.serializers.vectors import VersionBriefSerializer


class ChangeSerializer(serializers.Serializer[Any]):
    """A field that is not the same in both; null where one has none, or you may not see it."""

    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class PlacesSerializer(serializers.Serializer[Any]):
    """Site keys, such as `resid_post.16`: those of both, and those that only one has."""

    shared = serializers.ListField(child=serializers.CharField())
    before = serializers.ListField(child=serializers.CharField())
    after = serializers.ListField(child=serializers.CharField())


class PlaceSerializer(serializers.Serializer[Any]):
    """The two directions at a place, compared exactly."""

    place = serializers.CharField()
    cosine = serializers.FloatField()
    norm_before = serializers.FloatField()
    norm_after = serializers.FloatField()
    residual_norm_before = serializers.FloatField()
    residual_norm_after = serializers.FloatField()
    strength_ratio = serializers.FloatField(help_text="Norm after, over norm before.")


class MeasuredSerializer(serializers.Serializer[Any]):
    """A metric in short, as its report has it."""

    value = serializers.JSONField(allow_null=True)
    low = serializers.JSONField(allow_null=True)
    high = serializers.JSONField(allow_null=True)
    n = serializers.JSONField(allow_null=True)
    verdict = serializers.CharField(allow_null=True)


class MetricChangeSerializer(serializers.Serializer[Any]):
    """A metric in both reports."""

    id = serializers.CharField()
    gate = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the wire's name, not DRF's attribute
    before = MeasuredSerializer(allow_null=True)
    after = MeasuredSerializer(allow_null=True)
    differs = serializers.BooleanField(
        allow_null=True, help_text="Whether the intervals are apart; null where one has none."
    )


class DiffSerializer(serializers.Serializer[Any]):
    """What changed from `before` to `after`."""

    before = VersionBriefSerializer()
    after = VersionBriefSerializer()
    facts = ChangeSerializer(many=True, help_text="Base model, data set, window, verdict and the like.")
    spec = ChangeSerializer(many=True, help_text="What the runs were asked to do.")
    places = PlacesSerializer()
    directions = PlaceSerializer(many=True)
    directions_missing = serializers.CharField(help_text="Why they are not compared; empty if they are.")
    metrics = MetricChangeSerializer(many=True)


class ReferrerQuery(serializers.Serializer[Any]):
    """Which ones; all when not given."""

    type = serializers.ChoiceField(choices=TYPES, required=False)


class ReferrerSerializer(serializers.Serializer[Any]):
    """A file about a version, or made of it."""

    type = serializers.ChoiceField(choices=TYPES)
    digest = serializers.CharField()
    size_bytes = serializers.IntegerField()
    media_type = serializers.CharField()
    url = serializers.CharField()
    created_at = serializers.DateTimeField(allow_null=True)
    annotations = serializers.DictField(child=serializers.CharField())


class ReferrerListSerializer(serializers.Serializer[Any]):
    """Of the version whose file has the digest `subject`."""

    subject = serializers.CharField()
    items = ReferrerSerializer(many=True)
