"""Presets and their versions on the wire."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from registry.api import links
from registry.api.v1.serializers.common import Body, DomainField, VisibilityField
from registry.api.v1.serializers.lifecycle import NoticeSerializer
from registry.api.v1.serializers.resolve import ResolvedModelSerializer
from registry.catalog.gating import FILE_STATES, access_states
from registry.catalog.states import RELEASED, Domain, VersionState
from registry.presets.models import Preset, PresetMember, PresetVersion
from registry.presets.notices import preset_notices
from registry.presets.selectors import visible_members
from registry.presets.states import MixMode, MixVerdict, PresetState
from registry.runs.composing import TIERS
from steering_core.formats.preset import MAX_DESCRIPTION, MAX_LABEL, MAX_MEMBERS, MAX_TITLE
from steering_core.formats.preset_engines import SHOWN


class PresetQuery(serializers.Serializer[Any]):
    """What to search for."""

    q = serializers.CharField(required=False, max_length=200, allow_blank=True, help_text="Words.")
    owner = serializers.CharField(required=False, max_length=64)
    base_model = serializers.CharField(required=False, max_length=200, help_text="Name or model hash.")
    model_hash = serializers.CharField(required=False, max_length=71)
    domain = serializers.ChoiceField(choices=Domain.choices, required=False, help_text="Its shelf.")
    mine = serializers.BooleanField(
        required=False, default=False, help_text="Your own, unpublished ones too."
    )


class UsesQuery(serializers.Serializer[Any]):
    """For which engine; all when not given."""

    engine = serializers.ChoiceField(choices=tuple(SHOWN), required=False)


class MixMemberBody(Body):
    """A vector of a mix; the reference is pinned to the version that it means now."""

    reference = serializers.CharField(max_length=300, help_text="owner/name or owner/name@ref.")
    strength = serializers.FloatField(help_text="Within the vector's usable window.")
    label = serializers.CharField(  # type: ignore[assignment]  # the wire's name, not DRF's attribute
        required=False,
        allow_blank=True,
        max_length=MAX_LABEL,
        help_text="Of the slider; the vector's title else.",
    )
    low_label = serializers.CharField(required=False, allow_blank=True, max_length=MAX_LABEL)
    high_label = serializers.CharField(required=False, allow_blank=True, max_length=MAX_LABEL)
    range = serializers.ListField(
        child=serializers.FloatField(),
        required=False,
        min_length=2,
        max_length=2,
        help_text="Of the slider; the vector's usable window else.",
    )


class MixBody(Body):
    """What a draft mixes."""

    members = MixMemberBody(many=True, allow_empty=False, max_length=MAX_MEMBERS)  # type: ignore[call-arg]
    mode = serializers.ChoiceField(choices=MixMode.choices, required=False)


class PresetBody(MixBody):
    """A new preset with its first draft."""

    name = serializers.CharField(max_length=129, help_text="owner/name, or a name in your own namespace.")
    title = serializers.CharField(required=False, allow_blank=True, max_length=MAX_TITLE)
    description = serializers.CharField(required=False, allow_blank=True, max_length=MAX_DESCRIPTION)
    domain = DomainField(required=False)
    visibility = VisibilityField(required=False)


class PresetChangeBody(Body):
    """The words around a preset; what is left out stays as it is."""

    title = serializers.CharField(required=False, allow_blank=True, max_length=MAX_TITLE)
    description = serializers.CharField(required=False, allow_blank=True, max_length=MAX_DESCRIPTION)
    domain = DomainField(required=False)
    visibility = VisibilityField(required=False)


class PresetPublishBody(Body):
    """Under which version a draft is frozen for good."""

    version = serializers.CharField(
        max_length=40, help_text="MAJOR.MINOR.PATCH, never used before for this preset."
    )
    draft_id = serializers.UUIDField(required=False, help_text="Which draft; the newest when not given.")
    visibility = VisibilityField(required=False)


class MeasureBody(Body):
    """How a draft is measured."""

    wanted = serializers.DictField(
        child=serializers.FloatField(),
        required=False,
        help_text="Changes of traits by the labels of their sliders, to find strengths for. They become the "
        "draft's own; without them its strengths are measured as they are.",
    )
    tier = serializers.ChoiceField(choices=TIERS, required=False)


class MixMemberSerializer(serializers.Serializer[Any]):
    """A vector of a mix and its slider."""

    reference = serializers.SerializerMethodField(help_text="owner/name@version, as it is called now.")
    digest = serializers.SerializerMethodField()
    strength = serializers.FloatField(help_text="Where the slider stands.")
    applied = serializers.FloatField(help_text="The strength after the mode.")
    label = serializers.CharField()  # type: ignore[assignment]  # the wire's name, not DRF's attribute
    low_label = serializers.CharField()
    high_label = serializers.CharField()
    range = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=VersionState.choices, source="vector_version.state")
    access = serializers.ChoiceField(choices=(*FILE_STATES, "hidden"), help_text="To the file, for you.")
    url = serializers.CharField(allow_null=True, help_text="The file; null where you may not have it.")

    def get_reference(self, row: PresetMember) -> str:
        return str(row.vector_version)

    def get_digest(self, row: PresetMember) -> str:
        return row.vector_version.digest

    @extend_schema_field(serializers.ListField(child=serializers.FloatField()))
    def get_range(self, row: PresetMember) -> list[float]:
        return [row.low, row.high]


class PresetLatestSerializer(serializers.Serializer[Any]):
    """The highest published version in short."""

    version = serializers.CharField()
    digest = serializers.CharField()
    verdict = serializers.ChoiceField(choices=MixVerdict.choices)
    base_model = ResolvedModelSerializer()
    labels = serializers.SerializerMethodField(help_text="Of its sliders, in order.")
    published_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_labels(self, row: PresetVersion) -> list[str]:
        return [member.label for member in row.ordered]


class PresetSerializer(serializers.Serializer[Any]):
    """A preset and its highest published version."""

    owner = serializers.CharField(source="owner.slug")
    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    domain = DomainField()
    visibility = VisibilityField()
    created_at = serializers.DateTimeField()
    latest = PresetLatestSerializer(allow_null=True)
    url = serializers.SerializerMethodField()

    def get_url(self, row: Preset) -> str:
        return links.preset_page(row)


class PresetVersionBriefSerializer(serializers.Serializer[Any]):
    """A version without what was measured of it."""

    id = serializers.UUIDField()
    preset = serializers.SerializerMethodField()
    version = serializers.CharField(allow_null=True, help_text="Null for a draft.")
    state = serializers.ChoiceField(choices=PresetState.choices)
    digest = serializers.SerializerMethodField(help_text="sha256 of preset.json; null for a draft.")
    base_model = ResolvedModelSerializer()
    mode = serializers.ChoiceField(choices=MixMode.choices)
    verdict = serializers.ChoiceField(choices=MixVerdict.choices)
    reasons = serializers.ListField(child=serializers.CharField(), help_text="Of the verdict.")
    created_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)
    yanked_at = serializers.DateTimeField(allow_null=True)
    yank_reason = serializers.CharField()

    def get_preset(self, row: PresetVersion) -> str:
        return str(row.preset)

    def get_digest(self, row: PresetVersion) -> str | None:
        return row.digest or None


class PresetVersionSerializer(PresetVersionBriefSerializer):
    """All that a client needs to apply a mix."""

    title = serializers.CharField(source="preset.title")
    description = serializers.CharField(source="preset.description")
    visibility = VisibilityField(source="preset.visibility")
    members = serializers.SerializerMethodField()
    composition = serializers.JSONField(
        allow_null=True, help_text="What was measured of the mix, see docs/composition.md; null for nothing."
    )
    warnings = serializers.SerializerMethodField()
    download_url = serializers.SerializerMethodField(help_text="preset.json; null for a draft.")

    @extend_schema_field(MixMemberSerializer(many=True))
    def get_members(self, row: PresetVersion) -> list[dict[str, Any]]:
        members = with_access(self.context["viewer"], row)
        return [dict(MixMemberSerializer(member).data) for member in members]

    @extend_schema_field(NoticeSerializer(many=True))
    def get_warnings(self, row: PresetVersion) -> list[dict[str, Any]]:
        return [asdict(notice) for notice in preset_notices(row)]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_download_url(self, row: PresetVersion) -> str | None:
        if not row.manifest_id:
            return None
        preset = row.preset
        return links.operation("preset-download", preset.owner.slug, preset.name, row.version)


class MixUseSerializer(serializers.Serializer[Any]):
    """One engine's way to apply a mix; `reason` says why there is none."""

    engine = serializers.CharField()
    title = serializers.CharField()
    usage = serializers.CharField(help_text="A command or code.")
    body = serializers.JSONField(
        allow_null=True, help_text="The `steering` field of a request; null for none."
    )
    convert = serializers.ListField(child=serializers.CharField(), help_text="Commands that make its files.")
    reason = serializers.CharField()
    refused = serializers.DictField(
        child=serializers.CharField(), help_text="Members it cannot say, and why."
    )
    notes = serializers.ListField(child=serializers.CharField())


class UsesSerializer(serializers.Serializer[Any]):
    """For each engine that was asked for."""

    items = MixUseSerializer(many=True)


def with_access(viewer: Any, row: PresetVersion) -> Sequence[PresetMember]:
    """The members with what the viewer may have of each; one query, and two more where files are not open."""
    members, seen = row.ordered, visible_members(viewer, row)
    vectors = {member.vector_version.vector for member in members if member.pk in seen}
    states = access_states(viewer, vectors)
    for member, strength in zip(members, row.strengths, strict=True):
        version = member.vector_version
        state = states[version.vector_id].state if member.pk in seen else "hidden"
        may_have = state in ("open", "granted") and version.state in RELEASED
        found = {
            "applied": strength,
            "access": state,
            "url": links.version_download(version) if may_have else None,
        }
        for name, value in found.items():
            setattr(member, name, value)
    return members
