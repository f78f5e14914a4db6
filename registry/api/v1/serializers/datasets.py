"""Datasets on the wire."""

from typing import Any

from rest_framework import serializers

from registry.api import links
from registry.api.v1.serializers.common import Body, VisibilityField
from registry.core.licences import License
from registry.datasets.models import Dataset, DatasetVersion
from steering_core.pairs.readers import FORMAT_LABELS


class DatasetQuery(serializers.Serializer[Any]):
    """What to list."""

    owner = serializers.CharField(required=False, max_length=64)
    q = serializers.CharField(
        required=False, max_length=200, allow_blank=True, help_text="Part of a name or description."
    )


class DatasetFilesBody(Body):
    """A file of pairs; or, with `negative_file`, two files whose lines belong together."""

    file = serializers.FileField(allow_empty_file=True)
    negative_file = serializers.FileField(allow_empty_file=True, required=False)


class DatasetPlace(Body):
    """Where pairs are to be kept."""

    name = serializers.CharField(max_length=200)
    visibility = VisibilityField(
        required=False, help_text="Counts for a new dataset; private when it is not given."
    )
    description = serializers.CharField(required=False, max_length=500, allow_blank=True)
    license = serializers.ChoiceField(
        License.choices, required=False, help_text="When it is not given, an existing dataset keeps its own."
    )
    language = serializers.CharField(
        required=False,
        max_length=60,
        allow_blank=True,
        help_text="BCP 47 tags, several with commas: en, pt-BR.",
    )
    notes = serializers.CharField(
        required=False, max_length=1000, allow_blank=True, help_text="What is new in this version."
    )


class DatasetPushBody(DatasetFilesBody, DatasetPlace):
    """A file of pairs and where to keep it."""


class DatasetUploadBody(DatasetPlace):
    """A complete upload of pairs and where to keep it; or two whose lines belong together."""

    upload = serializers.UUIDField(help_text="The id of an upload of yours for a dataset.")
    negative_upload = serializers.UUIDField(required=False)


class DatasetCheckSerializer(serializers.Serializer[Any]):
    """What a file would become; nothing was stored."""

    format = serializers.CharField(source="source_format")
    format_label = serializers.SerializerMethodField()
    digest = serializers.CharField(
        help_text="Of the canonical JSON Lines: the same pairs give the same digest."
    )
    n_pairs = serializers.IntegerField()
    report = serializers.JSONField()
    preview = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField(allow_blank=True))
    )

    def get_format_label(self, row: Any) -> str:
        return FORMAT_LABELS.get(row.source_format, row.source_format)


class DatasetVersionBriefSerializer(serializers.Serializer[Any]):
    """A version without its report."""

    dataset = serializers.SerializerMethodField()
    number = serializers.IntegerField()
    reference = serializers.SerializerMethodField(help_text="owner/name@number: what a run takes.")
    digest = serializers.CharField()
    n_pairs = serializers.IntegerField()
    source_format = serializers.CharField()
    source_filename = serializers.CharField()
    source_digest = serializers.CharField(help_text="Of the bytes as they were uploaded.")
    notes = serializers.CharField()
    created_at = serializers.DateTimeField()
    url = serializers.SerializerMethodField()

    def get_dataset(self, row: DatasetVersion) -> str:
        return str(row.dataset)

    def get_reference(self, row: DatasetVersion) -> str:
        return str(row)

    def get_url(self, row: DatasetVersion) -> str:
        return links.dataset_version_page(row)


class DatasetVersionSerializer(DatasetVersionBriefSerializer):
    """An immutable version of a dataset."""

    report = serializers.JSONField()


class DatasetSerializer(serializers.Serializer[Any]):
    """A dataset in a list."""

    owner = serializers.CharField(source="owner.slug")
    name = serializers.CharField()
    visibility = VisibilityField()
    description = serializers.CharField()
    license = serializers.CharField(help_text="An SPDX identifier, or empty where nobody said.")
    language = serializers.CharField(help_text="BCP 47 tags, or empty where nobody said.")
    created_at = serializers.DateTimeField()
    newest_number = serializers.IntegerField(allow_null=True)
    n_versions = serializers.IntegerField()
    url = serializers.SerializerMethodField()

    def get_url(self, row: Dataset) -> str:
        return links.dataset_page(row)


class DatasetDetailSerializer(DatasetSerializer):
    """A dataset with its versions, newest first."""

    newest = DatasetVersionSerializer(source="versions.first", allow_null=True)
    versions = DatasetVersionBriefSerializer(source="versions.all", many=True)
