"""Uploads on the wire."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from registry.api import links
from registry.api.v1.serializers.common import Body
from registry.uploads.models import Upload
from registry.uploads.selectors import PartNow, upload_progress
from registry.uploads.states import Method, Purpose, UploadState


class UploadBody(Body):
    """A file to be sent in parts."""

    sha256 = serializers.RegexField(
        r"^(sha256:)?[0-9a-f]{64}$", max_length=71, help_text="Of the whole file, as sha256: and hex digits."
    )
    size_bytes = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    filename = serializers.CharField(required=False, allow_blank=True, max_length=255)


class StagedPartSerializer(serializers.Serializer[Any]):
    """A part that arrived."""

    number = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    digest = serializers.CharField(help_text="sha256:…, or md5:… from an object store, or empty.")


class MissingPartSerializer(serializers.Serializer[Any]):
    """A part to send."""

    number = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    url = serializers.CharField(
        help_text="PUT it here: in the object store without a token, within the hour; else as any operation."
    )


class ReceivedPartSerializer(MissingPartSerializer):
    """A part that arrived with the right size; if its digest is not yours, send it again."""

    digest = serializers.CharField(help_text="sha256:…, or md5:… from an object store, or empty.")


class PartsSerializer(serializers.Serializer[Any]):
    """Parts are counted from 1; all but the last are of one size."""

    size_bytes = serializers.IntegerField()
    count = serializers.IntegerField()
    received = ReceivedPartSerializer(many=True)
    missing = MissingPartSerializer(many=True)


class UploadBriefSerializer(serializers.Serializer[Any]):
    """An upload in a list."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=UploadState.choices, source="state_now")
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    filename = serializers.CharField()
    digest = serializers.CharField()
    size_bytes = serializers.IntegerField()
    method = serializers.ChoiceField(choices=Method.choices, help_text="Where parts are sent.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Until when parts are taken.")


class UploadSerializer(UploadBriefSerializer):
    """An upload with what is missing; ask again for fresh addresses."""

    parts = serializers.SerializerMethodField()
    complete_url = serializers.SerializerMethodField()

    @extend_schema_field(PartsSerializer)
    def get_parts(self, row: Upload) -> dict[str, Any]:
        progress = upload_progress(upload=row)

        def shown(part: PartNow) -> dict[str, Any]:
            url = part.link or links.operation("upload-part", row.pk, part.number)
            return {"number": part.number, "size_bytes": part.size_bytes, "url": url}

        return {
            "size_bytes": row.part_bytes,
            "count": row.n_parts,
            "received": [shown(part) | {"digest": part.digest} for part in progress.received],
            "missing": [shown(part) for part in progress.missing],
        }

    def get_complete_url(self, row: Upload) -> str:
        return links.operation("upload-complete", row.pk)
