"""What blind tests show, on the wire."""

from typing import Any

from rest_framework import serializers


class BlindTestSerializer(serializers.Serializer[Any]):
    """What the answers of all raters show; shares are null while there is nothing to count."""

    metric = serializers.JSONField(help_text="As the metrics of a report, docs/report.schema.json.")
    decided = serializers.IntegerField(
        help_text="Steered beside unsteered replies of which one was chosen, by attentive raters."
    )
    ties = serializers.IntegerField(help_text="The same, with the answer that there is no difference.")
    raters = serializers.IntegerField()
    false_alarms = serializers.FloatField(
        allow_null=True, help_text="Share of pairs of equal replies in which a difference was seen."
    )
    random_wins = serializers.FloatField(
        allow_null=True, help_text="Share of decided comparisons that a random vector won."
    )
    agreement = serializers.FloatField(
        allow_null=True, help_text="Cohen's kappa of the two raters with most replies in common."
    )
    left_out = serializers.IntegerField(help_text="Raters who see differences where there are none.")
