"""Requests of the playground on the wire."""

from typing import Any

from rest_framework import serializers

from registry.api import links
from registry.api.v1.serializers.common import Body
from registry.playground.services import Snapshot, Started
from registry.playground.wishes import (
    DEFAULT_TOKENS,
    FORMATS,
    MAX_CHANNELS,
    MAX_PROMPT,
    MAX_SEED,
    MAX_TEMPERATURE,
    MAX_TOKENS,
    MIXES,
    Channel,
    Wish,
)
from registry.presets.states import MixMode


class ChannelBody(Body):
    """A vector of a mix."""

    reference = serializers.CharField(
        max_length=300, help_text="owner/name, owner/name@ref, or a version's id."
    )
    strength = serializers.FloatField(help_text="A share of the mean residual norm; most work within ±0.3.")


class WishBody(Body):
    """Texts to be written to one prompt: one without vectors, and one for each mix."""

    base_model = serializers.CharField(max_length=200, help_text="Name or model hash.")
    prompt = serializers.CharField(max_length=MAX_PROMPT, trim_whitespace=False)
    mixes = serializers.ListField(
        child=serializers.ListField(child=ChannelBody(), max_length=MAX_CHANNELS),
        max_length=len(MIXES),
        required=False,
        help_text="Up to two, `a` and `b`, to compare.",
    )
    format = serializers.ChoiceField(
        choices=FORMATS, required=False, help_text="`chat`: as a user's turn; `plain`: to be continued."
    )
    mode = serializers.ChoiceField(choices=MixMode.values, required=False)
    seed = serializers.IntegerField(min_value=0, max_value=MAX_SEED, required=False)
    temperature = serializers.FloatField(min_value=0, max_value=MAX_TEMPERATURE, required=False)
    max_new_tokens = serializers.IntegerField(
        min_value=1,
        max_value=MAX_TOKENS[True],
        required=False,
        help_text=f"{DEFAULT_TOKENS} if not given; without a token at most {MAX_TOKENS[False]}.",
    )


class CautionSerializer(serializers.Serializer[Any]):
    """Something to know before trusting a mix."""

    code = serializers.CharField()
    message = serializers.CharField()
    mix = serializers.CharField(help_text="`a` or `b`.")


class StartedSerializer(serializers.Serializer[Started]):
    """A request that waits for its turn."""

    id = serializers.CharField()
    position = serializers.IntegerField(help_text="In the line, from 1.")
    cautions = CautionSerializer(many=True)
    url = serializers.SerializerMethodField()
    stream_url = serializers.SerializerMethodField()

    def get_url(self, row: Started) -> str:
        return links.operation("playground-request", row.id)

    def get_stream_url(self, row: Started) -> str:
        return links.operation("playground-stream", row.id)


class SnapshotSerializer(serializers.Serializer[Snapshot]):
    """A request as it stands."""

    id = serializers.CharField()
    state = serializers.ChoiceField(choices=("queued", "running", "done", "failed"))
    texts = serializers.DictField(
        child=serializers.CharField(), help_text="`neutral`, `a` and `b`: what is written until now."
    )
    outcome = serializers.DictField(help_text="What the stream's last event says; empty before.")


def wish_of(body: dict[str, Any]) -> Wish:
    """The wish that a validated body says."""
    mixes = tuple(tuple(Channel(**channel) for channel in mix) for mix in body.get("mixes", ()))
    return Wish(**{**body, "mixes": mixes})
