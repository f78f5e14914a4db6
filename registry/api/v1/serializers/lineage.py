"""Lineage and derivations on the wire."""

from typing import Any

from rest_framework import serializers

from registry.api.v1.serializers.common import Body
from registry.runs.deriving import MAX_PARENTS, MAX_WEIGHT
from steering_core.spec import TIERS


class ParentBody(Body):
    """A released version and what its directions are multiplied with."""

    reference = serializers.CharField(max_length=300, help_text="owner/name@ and a version, digest or alias.")
    weight = serializers.FloatField(
        min_value=-MAX_WEIGHT, max_value=MAX_WEIGHT, help_text="Not 0; 1 is the direction as it is stored."
    )


class DeriveBody(Body):
    """A version to compute from others of one base model, at the same place."""

    parents = ParentBody(  # type: ignore[call-arg]  # of many
        many=True,
        allow_empty=False,
        max_length=MAX_PARENTS,
        help_text="One with a negative weight is turned around; several are added up.",
    )
    dataset = serializers.CharField(
        max_length=200,
        required=False,
        help_text="Pairs to measure it with; those of the first parent when not given.",
    )
    tier = serializers.ChoiceField(choices=TIERS, required=False)


class NodeSerializer(serializers.Serializer[Any]):
    """A thing in the graph. Of what you may not see, `kind` is `hidden` and all else null."""

    id = serializers.CharField(help_text="Within this answer alone.")
    kind = serializers.CharField(help_text="version, dataset, run, preset or hidden.")
    name = serializers.CharField(allow_null=True, help_text="Of a run: its kind.")
    digest = serializers.CharField(allow_null=True)
    state = serializers.CharField(allow_null=True)
    url = serializers.CharField(allow_null=True)


class EdgeSerializer(serializers.Serializer[Any]):
    """From what was there to what was made of it."""

    kind = serializers.CharField(help_text="extracted, measured, migrated, negated, combined or mixed.")
    weight = serializers.FloatField(
        allow_null=True, help_text="What directions were multiplied with; in a preset, the strength."
    )

    def get_fields(self) -> dict[str, Any]:
        # `source` is an argument of fields in DRF, and `from` a word of Python.
        ends = {
            "from": serializers.CharField(source="source"),
            "to": serializers.CharField(source="target"),
        }
        return {**ends, **super().get_fields()}


class LineageSerializer(serializers.Serializer[Any]):
    """What the version `of` came from, and what came of it."""

    of = serializers.CharField()
    nodes = NodeSerializer(many=True)
    edges = EdgeSerializer(many=True)
    is_cut = serializers.BooleanField(help_text="Whether there is more than is shown.")
