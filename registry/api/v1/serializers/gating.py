"""Access to the files of a vector on the wire."""

from typing import Any

from rest_framework import serializers

from registry.api.v1.serializers.common import Body
from registry.catalog.gating import DECISIONS, FILE_STATES
from registry.catalog.states import Access, AccessMode, RequestState


class FileAccessSerializer(serializers.Serializer[Any]):
    """Whether you may have the files of what you see."""

    kind = serializers.ChoiceField(choices=Access.choices, help_text="Of the vector: open, gated or paid.")
    state = serializers.ChoiceField(
        choices=FILE_STATES,
        help_text="For you: the files are yours to download when it is open or granted.",
    )
    request = serializers.CharField(help_text="The state of your request for access; empty without one.")
    request_url = serializers.CharField(allow_null=True, help_text="Where to ask; null if it is not gated.")


class AccessBody(Body):
    """Who may have the files."""

    access = serializers.ChoiceField(choices=Access.choices)
    mode = serializers.ChoiceField(choices=AccessMode.choices, required=False)
    terms = serializers.CharField(required=False, allow_blank=True, max_length=4000)


class AccessSerializer(FileAccessSerializer):
    """The rule of a vector, and what it comes to for you."""

    mode = serializers.ChoiceField(choices=AccessMode.choices)
    terms = serializers.CharField(help_text="What whoever asks has to accept; empty for nothing.")


class AccessRequestBody(Body):
    """A wish for the files of a gated vector."""

    message = serializers.CharField(required=False, allow_blank=True, max_length=1000)
    accepts_terms = serializers.BooleanField(required=False, default=False)


class AccessQuery(serializers.Serializer[Any]):
    """Which requests."""

    state = serializers.ChoiceField(choices=RequestState.choices, required=False)


class DecisionBody(Body):
    """What an admin decides."""

    state = serializers.ChoiceField(choices=DECISIONS)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500)


class AccessRequestSerializer(serializers.Serializer[Any]):
    """Somebody's request for the files of a vector."""

    vector = serializers.CharField()
    username = serializers.CharField(source="user.username")
    state = serializers.ChoiceField(choices=RequestState.choices)
    message = serializers.CharField()
    terms_sha256 = serializers.CharField(help_text="Of the terms that were accepted; empty without any.")
    created_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField(help_text="Empty while nobody has, and for automatic grants.")
    reason = serializers.CharField()
