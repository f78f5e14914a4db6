"""Forms of files, and counts of downloads."""

from typing import Any

from rest_framework import serializers

from registry.serving.conversions import ALIASES, FORMATS
from registry.serving.models import Conversion
from registry.serving.selectors import Day


class DownloadQuery(serializers.Serializer[Any]):
    """Which form of the file; without `format` it is the native one."""

    format = serializers.ChoiceField(choices=sorted([*ALIASES, *FORMATS]), required=False)
    part = serializers.CharField(
        required=False,
        max_length=20,
        help_text="A file beside the main one, by what its name ends with, such as `json`.",
    )


class ConversionSerializer(serializers.Serializer[Any]):
    """A form that a worker makes; ask again after `Retry-After`."""

    format = serializers.CharField()
    state = serializers.ChoiceField(choices=[Conversion.State.WAITING, Conversion.State.WORKING])


class FormFileSerializer(serializers.Serializer[Any]):
    """A file of a form that is made."""

    suffix = serializers.CharField()
    digest = serializers.CharField()
    size_bytes = serializers.IntegerField()
    url = serializers.CharField()


class FormSerializer(serializers.Serializer[Any]):
    """A form that a version is offered in."""

    format = serializers.CharField()
    title = serializers.CharField()
    suffix = serializers.CharField()
    url = serializers.CharField()
    state = serializers.ChoiceField(
        choices=["none", *Conversion.State.values], help_text="`none` until somebody asks for it."
    )
    reason = serializers.CharField(help_text="Why the engine cannot say this vector; empty if it can.")
    warnings = serializers.ListField(child=serializers.CharField())
    usage = serializers.CharField(help_text="How to run the engine with it, once it is made.")
    files = FormFileSerializer(many=True)


class FormsSerializer(serializers.Serializer[Any]):
    """All forms of a version."""

    items = FormSerializer(many=True)


class DaysQuery(serializers.Serializer[Any]):
    """How many days, today the last."""

    days = serializers.IntegerField(min_value=1, max_value=366, default=30)


class DaySerializer(serializers.Serializer[Day]):
    """One day (UTC)."""

    day = serializers.DateField()
    downloads = serializers.IntegerField()
    ci = serializers.IntegerField(help_text="Automated builds and crawlers, which are in no other number.")


class DownloadSeriesSerializer(serializers.Serializer[Any]):
    """How often a vector was downloaded; docs/api.md says what counts."""

    total = serializers.IntegerField()
    last_30_days = serializers.IntegerField()
    versions = serializers.DictField(child=serializers.IntegerField(), help_text="In all, by version.")
    days = DaySerializer(many=True)
