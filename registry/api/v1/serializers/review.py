"""Reports to the operators on the wire, and what is decided of them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from registry.api import links
from registry.api.v1.serializers.common import Body
from registry.catalog.states import RELEASED, RemovalKind
from registry.trust.flags import outcomes_of
from registry.trust.models import Flag

KINDS = ("vector", "version", "preset", "dataset")


class FlagBody(Body):
    """What is wrong with something."""

    reason = serializers.ChoiceField(choices=Flag.FOR_USERS)
    text = serializers.CharField(
        allow_blank=True,
        max_length=2000,
        help_text="At least 10 characters: what happens, at which version and strength, and how to see it. "
        "Only operators read this.",
    )


class FlagQuery(serializers.Serializer[Any]):
    """Which reports."""

    state = serializers.ChoiceField(choices=Flag.State.choices, default=Flag.State.OPEN)
    reason = serializers.ChoiceField(choices=Flag.Reason.choices, required=False)


class FlagDecisionBody(Body):
    """What staff decide of a report; all but `hidden` is for good."""

    outcome = serializers.ChoiceField(
        choices=Flag.Outcome.choices, help_text="One of the `outcomes` of the report."
    )
    reason = serializers.CharField(
        allow_blank=True,
        max_length=500,
        help_text="Whoever uses what is deprecated or taken down reads it.",
    )
    removal = serializers.ChoiceField(
        choices=RemovalKind.choices, required=False, help_text="For `removed`; `safety` when not given."
    )


class FlagSerializer(serializers.Serializer[Any]):
    """A report, as whoever made it is shown it."""

    id = serializers.UUIDField()
    kind = serializers.SerializerMethodField(help_text="What it is about.")
    reference = serializers.SerializerMethodField(
        help_text="owner/name, as it is called now; of a released version owner/name@version."
    )
    version = serializers.SerializerMethodField(help_text="Null for a draft, and for what is no version.")
    url = serializers.SerializerMethodField(
        help_text="The page of it; null for a draft, which its owner alone sees, and for a removed version."
    )
    reason = serializers.ChoiceField(choices=Flag.Reason.choices)
    text = serializers.CharField()
    state = serializers.ChoiceField(choices=Flag.State.choices)
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(choices=KINDS))
    def get_kind(self, row: Flag) -> str:
        return next(kind for kind in KINDS if getattr(row, f"{kind}_id"))

    def get_reference(self, row: Flag) -> str:
        return str(row.version.vector) if row.version and not row.version.version else row.subject

    def get_version(self, row: Flag) -> str | None:
        return row.version.version if row.version else None

    def get_url(self, row: Flag) -> str | None:
        if row.version:
            return links.version_page(row.version) if row.version.state in RELEASED else None
        if row.preset:
            return links.preset_page(row.preset)
        if row.dataset:
            return links.dataset_page(row.dataset)
        return links.vector_page(row.vector) if row.vector else None


class ReviewFlagSerializer(FlagSerializer):
    """A report as staff see it: who made it, what can be decided, and what was."""

    reporter = serializers.SerializerMethodField(
        help_text="Username; empty for what the service found, and where the account is gone."
    )
    copied_from = serializers.SerializerMethodField(
        help_text="For `copy` and `flipped`, the version that it is a copy of; else null."
    )
    outcomes = serializers.SerializerMethodField(help_text="What can be decided; empty when nothing can.")
    outcome = serializers.ChoiceField(
        choices=Flag.Outcome.choices, allow_blank=True, help_text="What was decided; empty while it is open."
    )
    decision_reason = serializers.CharField()
    decided_by = serializers.CharField(help_text="Username; empty while it is open.")
    decided_at = serializers.DateTimeField(allow_null=True)

    def get_reporter(self, row: Flag) -> str:
        return row.reporter.username if row.reporter else ""

    def get_copied_from(self, row: Flag) -> str | None:
        return str(row.source) if row.source else None

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=Flag.Outcome.choices)))
    def get_outcomes(self, row: Flag) -> list[str]:
        return outcomes_of(row)
