"""References to files: one, or a hundred at once. What is answered is enough to pull, verify and pin.

`catalog.resolving` finds versions; here they become the object on the wire.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.access import Visibility
from registry.api.endpoint import Endpoint
from registry.api.files import PRIVATE, SHORT, is_fresh
from registry.api.notices import with_notices
from registry.api.schema import operation
from registry.api.v1.serializers.resolve import (
    DigestsBody,
    ReferenceQuery,
    ReferencesBody,
    ResolvedListSerializer,
    ResolvedSerializer,
)
from registry.api.v1.versions import is_public
from registry.catalog.notices import Notice
from registry.catalog.resolving import Resolved, resolve_many, resolve_one
from registry.catalog.states import Access
from registry.presets.resolving import PREFIX, ResolvedPreset, resolve_preset, resolve_presets
from registry.storage.models import Blob
from steering_core.spec import canonical_json


class ResolveOne(Endpoint):
    """What a reference leads to: the version, its digest, and where its files are."""

    bucket = "resolve"

    @operation("resolve_get", answer=ResolvedSerializer, parameters=[ReferenceQuery])
    def get(self, request: Request) -> HttpResponse:
        reference = self.parse(ReferenceQuery, request.query_params)["reference"]
        if reference.startswith(PREFIX):
            preset = resolve_preset(viewer=request.user, reference=reference)
            return self.resolved(preset_json(preset), preset.notices, is_for_all=_is_whole_for_all(preset))
        found = resolve_one(viewer=request.user, reference=reference)
        return self.resolved(resolved_json(found), found.notices, is_for_all=_is_for_all(found))

    def resolved(self, shown: dict[str, Any], notices: Sequence[Notice], *, is_for_all: bool) -> HttpResponse:
        """The object, with an ETag over all it says."""
        body = canonical_json(shown)
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        response = HttpResponse(body, content_type="application/json")
        if is_fresh(self.request, etag):
            response = HttpResponse(status=304)
        response["ETag"] = etag
        response["Cache-Control"] = SHORT if is_for_all else PRIVATE
        response["X-Bearing-Digest"] = shown["digest"]
        return with_notices(response, notices)


class ResolveMany(Endpoint):
    """What each of up to 100 references leads to, in the order asked; null for what is unknown or not the
    caller's to see.
    """

    # It reads, so nobody needs a token.
    permission_classes = []
    bucket = "resolve"

    @operation("resolve_many", answer=ResolvedListSerializer, request=ReferencesBody)
    def post(self, request: Request) -> Response:
        return self.answer(self.parse(ReferencesBody, request.data)["references"])

    def answer(self, references: Sequence[str]) -> Response:
        """The objects, or null, in the order of the references."""
        viewer = self.request.user
        presets = [text for text in references if text.startswith(PREFIX)]
        vectors = [text for text in references if not text.startswith(PREFIX)]
        shown = {
            text: resolved_json(item)
            for text, item in resolve_many(viewer=viewer, references=vectors).items()
        }
        for text, preset in resolve_presets(viewer=viewer, references=presets).items():
            shown[text] = preset_json(preset)
        return Response({"items": [shown.get(text) for text in references]})


class ResolveDigests(ResolveMany):
    """As `/resolve`, for files by their digests alone: what is this file that somebody has?"""

    @operation("vectors_by_digest", answer=ResolvedListSerializer, request=DigestsBody)
    def post(self, request: Request) -> Response:
        return self.answer(self.parse(DigestsBody, request.data)["digests"])


class ResolveCollection(ResolveOne, ResolveMany):
    """`/resolve`"""

    permission_classes = []


def resolved_json(found: Resolved) -> dict[str, Any]:
    """The object on the wire; plain, since this is what is asked most."""
    row, vector = found.version, found.version.vector
    here = f"{settings.PUBLIC_URL}/api/v1/vectors/{vector}/versions/{row.digest}"
    files = []
    if found.has_files and row.artifact:
        files.append(_file("vector.safetensors", row.artifact, f"{here}/download"))
        if row.conformance:
            files.append(_file("conformance.json", row.conformance, f"{here}/conformance"))
    return {
        "reference": found.reference,
        "kind": "vector",
        "owner": vector.owner.slug,
        "name": vector.name,
        "version": row.version,
        "digest": row.digest,
        "state": row.state,
        "visibility": vector.visibility,
        "verdict": row.verdict,
        "grade": row.grade,
        "license": row.license,
        "base_model": {"name": row.base_model.name, "model_hash": row.base_model.model_hash},
        "access": found.access.state,
        "files": files,
        "warnings": [asdict(notice) for notice in found.notices],
        "page": f"{settings.PUBLIC_URL}/{vector}/versions/{row.version}",
    }


def preset_json(found: ResolvedPreset) -> dict[str, Any]:
    """A preset on the wire, with its members."""
    row, preset = found.version, found.version.preset
    url = f"{settings.PUBLIC_URL}/api/v1/presets/{preset}/versions/{row.digest}/download"
    return {
        "reference": found.reference,
        "kind": "preset",
        "owner": preset.owner.slug,
        "name": preset.name,
        "version": row.version,
        "digest": row.digest,
        "state": row.state,
        "visibility": preset.visibility,
        "verdict": row.verdict,
        "grade": "",
        "license": "",
        "base_model": {"name": row.base_model.name, "model_hash": row.base_model.model_hash},
        "access": "open",
        "files": [_file("preset.json", row.manifest, url)] if row.manifest else [],
        "warnings": [asdict(notice) for notice in found.notices],
        "page": f"{settings.PUBLIC_URL}/presets/{preset}",
        "vectors": [resolved_json(member) for member in found.members],
    }


def _is_for_all(found: Resolved) -> bool:
    """Whether everybody is told the same."""
    return is_public(found.version) and found.version.vector.access == Access.OPEN


def _is_whole_for_all(found: ResolvedPreset) -> bool:
    """Whether everybody sees the preset, and all of it."""
    is_whole = len(found.members) == len(found.version.ordered)
    is_public_preset = found.version.preset.visibility == Visibility.PUBLIC
    return is_whole and is_public_preset and all(map(_is_for_all, found.members))


def _file(name: str, blob: Blob, url: str) -> dict[str, Any]:
    return {
        "name": name,
        "digest": blob.digest,
        "size_bytes": blob.size_bytes,
        "media_type": blob.media_type,
        "url": url,
    }
