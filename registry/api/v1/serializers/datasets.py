"""Datasets on the wire."""

from typing import Any

from rest_framework import serializers

from registry.api import links
from registry.api.pagination import MAX_LIMIT
from registry.api.v1.serializers.common import Body, VisibilityField
from registry.core.licences import License
from registry.datasets.flags import FLAGS
from registry.datasets.models import Dataset, DatasetVersion
from registry.datasets.searching import SPLITS
from steering_core.pairs.changes import KINDS
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


class DatasetRowQuery(serializers.Serializer[Any]):
    """Which rows. Different parameters all have to fit."""

    q = serializers.CharField(
        required=False,
        max_length=200,
        allow_blank=True,
        help_text="Stands so in the prompt, in a text or in the group, in any case.",
    )
    split = serializers.ChoiceField(
        choices=SPLITS, required=False, help_text="Rows that do not count are in none."
    )
    remark = serializers.ChoiceField(
        choices=tuple(FLAGS), required=False, help_text="What the quality report finds about the row."
    )
    domain = serializers.CharField(
        required=False, max_length=200, allow_blank=True, help_text="As the row has it."
    )


class DatasetPairSerializer(serializers.Serializer[Any]):
    """A contrastive pair, as a line of the file has it; fields that it lacks are empty."""

    prompt = serializers.CharField()
    positive = serializers.CharField()
    negative = serializers.CharField()
    group = serializers.CharField()
    domain = serializers.CharField()
    template = serializers.CharField(
        help_text="`none` where a model reads prompt and text as they stand; empty for turns of a chat."
    )


class DatasetRowSerializer(serializers.Serializer[Any]):
    """A row of a version."""

    number = serializers.IntegerField(help_text="From 1, in the order of the file.")
    pair = DatasetPairSerializer()
    split = serializers.ChoiceField(
        choices=SPLITS, allow_blank=True, help_text="Empty for a row that does not count."
    )
    remarks = serializers.ListField(
        child=serializers.ChoiceField(choices=tuple(FLAGS)),
        source="flags",
        help_text="What the quality report finds about the row.",
    )


class DatasetDiffQuery(serializers.Serializer[Any]):
    """Which of the changes to show; they are all counted."""

    kind = serializers.ChoiceField(choices=KINDS, required=False, help_text="All when not given.")
    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_LIMIT, default=MAX_LIMIT, help_text="Changes to show."
    )
    offset = serializers.IntegerField(
        required=False, min_value=0, max_value=10_000_000, default=0, help_text="Changes to pass over."
    )


class DatasetChangeSerializer(serializers.Serializer[Any]):
    """A row before and after; null where it is not there."""

    kind = serializers.ChoiceField(choices=KINDS)
    row_before = serializers.IntegerField(allow_null=True)
    row_after = serializers.IntegerField(allow_null=True)
    fields = serializers.ListField(  # type: ignore[assignment]  # the wire's name, not DRF's property
        child=serializers.CharField(), help_text="What of a changed row says something else now."
    )
    is_swap = serializers.BooleanField(help_text="Whether the two texts changed sides.")
    before = DatasetPairSerializer(allow_null=True)
    after = DatasetPairSerializer(allow_null=True)


class DatasetChangeCountsSerializer(serializers.Serializer[Any]):
    """How many changes there are in all."""

    changed = serializers.IntegerField()
    added = serializers.IntegerField()
    removed = serializers.IntegerField()


class DatasetDiffSerializer(serializers.Serializer[Any]):
    """What changed from `before` to `after`."""

    before = DatasetVersionBriefSerializer()
    after = DatasetVersionBriefSerializer()
    counts = DatasetChangeCountsSerializer()
    changes = DatasetChangeSerializer(
        many=True, help_text="In the order of `after`; what is gone stands last."
    )
    left_out = serializers.IntegerField(
        help_text="How many changes of this kind are not shown; `offset` leads to them."
    )
