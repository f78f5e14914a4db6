"""Runs on the wire."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from registry.api import links
from registry.api.v1.serializers.common import Body, VisibilityField
from registry.catalog.states import License
from registry.runs.models import Run
from registry.runs.selectors import STATE_GROUPS
from registry.runs.states import RunState
from steering_core.errors import FormatError
from steering_core.spec import METHODS, POOLINGS, SITES, TIERS, parse_site


@extend_schema_field(
    {"anyOf": [{"enum": list(SITES)}, {"type": "string", "pattern": "^resid_post@(0|[1-9][0-9]?)$"}]}
)
class SiteField(serializers.CharField):
    """Where in a block: one of SITES, or one stream of a residual with several, `resid_post@2`."""

    def to_internal_value(self, data: Any) -> str:
        site: str = super().to_internal_value(data)
        try:
            parse_site(site)
        except FormatError as error:
            raise serializers.ValidationError(error.message, "invalid_choice") from error
        return site


class RunBody(Body):
    """An extraction to run. With `publish_version` and `license` the result is published at once."""

    dataset = serializers.CharField(
        max_length=200, help_text="owner/name@number, or owner/name for the newest version."
    )
    base_model = serializers.CharField(
        max_length=200, help_text="Name or model hash of a registered base model."
    )
    vector = serializers.CharField(max_length=200, help_text="The name of your vector; made when it is new.")
    method = serializers.ChoiceField(choices=METHODS, required=False)
    site = SiteField(required=False, max_length=20)
    pooling = serializers.ChoiceField(choices=POOLINGS, required=False)
    tier = serializers.ChoiceField(choices=TIERS, required=False)
    publish_version = serializers.CharField(max_length=40, required=False, allow_blank=True)
    license = serializers.ChoiceField(choices=License.choices, required=False, allow_blank=True)
    visibility = VisibilityField(required=False, allow_blank=True)


class MigrationBody(Body):
    """A version to move to another base model, where it is measured anew with its own pairs."""

    source = serializers.CharField(  # type: ignore[assignment]  # the wire's name, not DRF's attribute
        max_length=200,
        help_text="owner/name, owner/name@ and a version or digest, or the id of a version.",
    )
    base_model = serializers.CharField(
        max_length=200, help_text="Name or model hash of the registered base model to move it to."
    )
    vector = serializers.CharField(max_length=200, help_text="The name of your vector; made when it is new.")
    tier = serializers.ChoiceField(choices=TIERS, required=False)


class ImportBody(Body):
    """A file to make a version of, which a run measures with pairs about its trait."""

    upload = serializers.UUIDField(help_text="The id of a complete upload of yours for a vector.")
    base_model = serializers.CharField(
        max_length=200, help_text="Name or model hash of the registered base model that the file is for."
    )
    dataset = serializers.CharField(
        max_length=200, help_text="owner/name@number, or owner/name for the newest version."
    )
    direction = serializers.CharField(
        max_length=40,
        required=False,
        help_text="Which of the file's directions, as site and block: resid_post.3.",
    )
    tier = serializers.ChoiceField(choices=TIERS, required=False)


class RunQuery(Body):
    """Which runs."""

    state = serializers.ChoiceField(
        choices=sorted(STATE_GROUPS), required=False, help_text="`active` is queued or running."
    )
    kind = serializers.ChoiceField(choices=Run.Kind.choices, required=False)
    owner = serializers.CharField(
        required=False, max_length=64, help_text="Whose vectors and presets they work on."
    )


class EventQuery(serializers.Serializer[Any]):
    """Which part of the log."""

    after = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**63 - 1)


class RunErrorSerializer(serializers.Serializer[Any]):
    """Why a run ended without a result; `class` says who has to act."""

    code = serializers.CharField(source="error_code")
    message = serializers.CharField(source="error_message")

    def get_fields(self) -> dict[str, Any]:
        # `class` is a word of Python, so it cannot stand above.
        return {"class": serializers.CharField(source="error_class"), **super().get_fields()}


class StatisticsSerializer(serializers.Serializer[Any]):
    """The file at `/runs/{id}/statistics`."""

    digest = serializers.CharField()
    size_bytes = serializers.IntegerField()


class RunSerializer(serializers.Serializer[Any]):
    """A run and where its result is."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Run.Kind.choices)
    state = serializers.ChoiceField(choices=RunState.choices)
    stage = serializers.CharField()
    progress = serializers.FloatField(help_text="From 0 to 1.")
    attempt = serializers.IntegerField()
    error = serializers.SerializerMethodField()
    vector = serializers.SerializerMethodField(help_text="Null where a preset is measured.")
    version_id = serializers.UUIDField(source="vector_version_id", allow_null=True)
    preset = serializers.SerializerMethodField(help_text="Null where a vector is made.")
    preset_version_id = serializers.UUIDField(allow_null=True)
    version = serializers.CharField(source="target.version", allow_null=True)
    verdict = serializers.CharField(
        source="target.verdict", help_text="Empty, or unmeasured, until there is a report."
    )
    grade = serializers.SerializerMethodField(help_text="A, B, C or F, or empty.")
    dataset = serializers.SerializerMethodField(help_text="Null where a preset is measured.")
    base_model = serializers.CharField(source="target.base_model.name")
    model_hash = serializers.CharField(source="target.base_model.model_hash")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    cancel_requested = serializers.BooleanField()
    statistics = StatisticsSerializer(
        allow_null=True, help_text="What was kept of the activations; null for nothing, and before the end."
    )
    url = serializers.SerializerMethodField()

    @extend_schema_field(RunErrorSerializer(allow_null=True))
    def get_error(self, row: Run) -> dict[str, str] | None:
        return dict(RunErrorSerializer(row).data) if row.error_class else None

    def get_vector(self, row: Run) -> str | None:
        return str(row.vector_version.vector) if row.vector_version else None

    def get_preset(self, row: Run) -> str | None:
        return str(row.preset_version.preset) if row.preset_version else None

    def get_grade(self, row: Run) -> str:
        return row.vector_version.grade if row.vector_version else ""

    def get_dataset(self, row: Run) -> str | None:
        return str(row.vector_version.dataset_version) if row.vector_version else None

    def get_url(self, row: Run) -> str:
        return links.run_page(row)


class RunEventSerializer(serializers.Serializer[Any]):
    """One line of a run's log."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    attempt = serializers.IntegerField()
    stage = serializers.CharField()
    progress = serializers.FloatField()
    message = serializers.CharField()
    data = serializers.DictField(  # type: ignore[assignment]  # the wire's name, not DRF's property
        help_text="What was measured on the way: empty, or with a `kind`: places, effects, place or family."
    )


class RunEventsSerializer(serializers.Serializer[Any]):
    """At most 200 lines; ask again with `after` = the last id."""

    items = RunEventSerializer(many=True)
