"""Vectors and their versions on the wire."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from registry.accounts.access import sees
from registry.api import links
from registry.api.v1.serializers.base_models import BaseModelSerializer
from registry.api.v1.serializers.common import Body, DomainField, VisibilityField
from registry.api.v1.serializers.gating import FileAccessSerializer
from registry.api.v1.serializers.lifecycle import NoticeSerializer, RetirableSerializer
from registry.catalog.gating import access_states, request_url
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.notices import vector_notices, version_notices
from registry.catalog.selectors import version_source
from registry.catalog.states import Access, License, Origin, Verdict, VersionState
from registry.discovery.cards import shown_of
from registry.discovery.similar import near_copy_notices
from registry.serving.selectors import download_totals

GRADE_HELP = "A, B, C or F; empty for a report of version 1, and until there is one."


class VectorBody(Body):
    """The words around a vector; what is left out stays as it is."""

    title = serializers.CharField(required=False, allow_blank=True, max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, max_length=4000)
    card_text = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=20_000,
        help_text="Markdown; HTML in it is shown as text.",
    )
    trait = serializers.CharField(required=False, allow_blank=True, max_length=64)
    domain = DomainField(required=False)
    language = serializers.CharField(required=False, allow_blank=True, max_length=20)
    visibility = VisibilityField(required=False)


class PublishBody(Body):
    """Under which version an extracted draft is frozen for good."""

    version = serializers.CharField(
        max_length=40, help_text="MAJOR.MINOR.PATCH, never used before for this vector."
    )
    license = serializers.ChoiceField(choices=License.choices)
    visibility = VisibilityField(required=False)
    domain = DomainField(required=False)
    draft_id = serializers.UUIDField(
        required=False, help_text="Which extracted version; the newest when not given."
    )


class VectorLatestSerializer(serializers.Serializer[Any]):
    """The newest published version in short."""

    version = serializers.CharField()
    digest = serializers.CharField()
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    grade = serializers.CharField(help_text=GRADE_HELP)
    summary = serializers.SerializerMethodField()
    base_model = serializers.CharField(source="base_model.name")
    model_hash = serializers.CharField(source="base_model.model_hash")
    window = serializers.SerializerMethodField(
        help_text="Lowest and highest strength that work; null if unknown."
    )
    license = serializers.CharField()
    published_at = serializers.DateTimeField()

    def get_summary(self, row: VectorVersion) -> str:
        return str(shown_of(row)["summary"] or "")

    def get_window(self, row: VectorVersion) -> list[float] | None:
        window = shown_of(row)["window"]
        return None if window is None else list(window)


class DownloadTotalsSerializer(serializers.Serializer[Any]):
    """Downloads without CI; docs/api.md says what counts."""

    total = serializers.IntegerField()
    last_30_days = serializers.IntegerField()


class VectorSerializer(RetirableSerializer):
    """A vector and its newest published version."""

    owner = serializers.CharField(source="owner.slug")
    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    trait = serializers.CharField()
    domain = DomainField()
    language = serializers.CharField(help_text="BCP 47 tag; empty if not said.")
    visibility = VisibilityField()
    access = serializers.SerializerMethodField()
    warnings = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    latest = VectorLatestSerializer(allow_null=True)
    downloads = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    @staticmethod
    def prepare(rows: list[Vector], viewer: Any) -> None:
        """Ask once for a page what its rows say about access."""
        for row, access in zip(rows, accesses_of(viewer, rows), strict=True):
            row.access_shown = access  # type: ignore[attr-defined]

    @extend_schema_field(FileAccessSerializer)
    def get_access(self, row: Vector) -> dict[str, Any]:
        return getattr(row, "access_shown", None) or access_of(self.context["viewer"], row)

    @extend_schema_field(NoticeSerializer(many=True))
    def get_warnings(self, row: Vector) -> list[dict[str, Any]]:
        return [asdict(notice) for notice in vector_notices(row)]

    @extend_schema_field(DownloadTotalsSerializer)
    def get_downloads(self, row: Vector) -> dict[str, int]:
        return download_totals(row)

    def get_url(self, row: Vector) -> str:
        return links.vector_page(row)


class VectorDetailSerializer(VectorSerializer):
    """A vector by itself, with the card that lists leave out."""

    card_text = serializers.CharField(help_text="Markdown as it was typed; empty for none.")


class ConformanceSerializer(serializers.Serializer[Any]):
    """The certificate of what an engine must do with the file; docs/conformance.md says how to read it."""

    digest = serializers.CharField()
    size_bytes = serializers.IntegerField()
    url = serializers.CharField()


class VersionBriefSerializer(RetirableSerializer):
    """A version without spec, manifest and report."""

    id = serializers.UUIDField()
    vector = serializers.SerializerMethodField()
    version = serializers.CharField(allow_null=True, help_text="Null for a draft.")
    state = serializers.ChoiceField(choices=VersionState.choices)
    digest = serializers.SerializerMethodField(
        help_text="sha256 of the native file; null while there is none."
    )
    size_bytes = serializers.SerializerMethodField()
    conformance = serializers.SerializerMethodField(
        help_text="Null while there is no file, and for a vector that could not be certified."
    )
    base_model = BaseModelSerializer()
    origin = serializers.ChoiceField(choices=Origin.choices, help_text="How its directions came about.")
    dataset = serializers.SerializerMethodField(help_text="owner/name@number; null if you may not see it.")
    spec_digest = serializers.CharField()
    verdict = serializers.CharField(help_text="Empty until there is a report.")
    grade = serializers.CharField(help_text=GRADE_HELP)
    license = serializers.CharField(help_text="SPDX identifier; empty for a draft.")
    created_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)
    yanked_at = serializers.DateTimeField(allow_null=True)
    yank_reason = serializers.CharField()
    download_url = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    def get_vector(self, row: VectorVersion) -> str:
        return str(row.vector)

    def get_digest(self, row: VectorVersion) -> str | None:
        return row.digest or None

    def get_size_bytes(self, row: VectorVersion) -> int | None:
        return row.artifact.size_bytes if row.artifact else None

    @extend_schema_field(ConformanceSerializer(allow_null=True))
    def get_conformance(self, row: VectorVersion) -> dict[str, Any] | None:
        blob = row.conformance
        if blob is None:
            return None
        url = links.version_conformance(row)
        return {"digest": blob.digest, "size_bytes": blob.size_bytes, "url": url}

    def get_dataset(self, row: VectorVersion) -> str | None:
        dataset = row.dataset_version.dataset
        is_seen = sees(self.context["viewer"], dataset)
        return str(row.dataset_version) if is_seen else None

    def get_download_url(self, row: VectorVersion) -> str | None:
        return links.version_download(row)

    def get_url(self, row: VectorVersion) -> str:
        return links.version_page(row)


class SourceSerializer(serializers.Serializer[Any]):
    """The version that a moved one came from."""

    id = serializers.UUIDField()
    vector = serializers.CharField()
    version = serializers.CharField(allow_null=True)
    digest = serializers.CharField()
    base_model = serializers.CharField(source="base_model.name")
    model_hash = serializers.CharField(source="base_model.model_hash")


class VersionSerializer(VersionBriefSerializer):
    """Everything about a version but its bytes."""

    migrated_from = serializers.SerializerMethodField(
        help_text="Where a moved version came from; null for others, and if you may not see the source."
    )
    access = serializers.SerializerMethodField()
    warnings = serializers.SerializerMethodField()
    spec = serializers.JSONField()
    manifest = serializers.JSONField(allow_null=True)
    report = serializers.JSONField(
        allow_null=True, help_text="Version 2 is described by docs/report.schema.json."
    )

    @extend_schema_field(FileAccessSerializer)
    def get_access(self, row: VectorVersion) -> dict[str, Any]:
        return access_of(self.context["viewer"], row.vector)

    @extend_schema_field(NoticeSerializer(many=True))
    def get_warnings(self, row: VectorVersion) -> list[dict[str, Any]]:
        copies = near_copy_notices(viewer=self.context["viewer"], version=row)
        return [asdict(notice) for notice in (*version_notices(row), *copies)]

    @extend_schema_field(SourceSerializer(allow_null=True))
    def get_migrated_from(self, row: VectorVersion) -> dict[str, Any] | None:
        source = version_source(viewer=self.context["viewer"], version=row)
        return dict(SourceSerializer(source).data) if source else None


def accesses_of(viewer: Any, rows: Sequence[Vector]) -> list[dict[str, Any]]:
    """What a viewer may have of each of these vectors, as `FileAccessSerializer` shows it."""
    states = access_states(viewer, rows)
    return [
        {
            "kind": row.access,
            **asdict(states[row.pk]),
            "request_url": request_url(row) if row.access == Access.GATED else None,
        }
        for row in rows
    ]


def access_of(viewer: Any, row: Vector) -> dict[str, Any]:
    """As `accesses_of`, for one."""
    return accesses_of(viewer, [row])[0]


class VectorFileBody(Body):
    """A native vector file."""

    file = serializers.FileField(allow_empty_file=True)
