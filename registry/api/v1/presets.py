"""Presets: search, put together, publish, yank; a version as one object, as a file, and in engines' words."""

import hashlib
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.access import Visibility
from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.files import IMMUTABLE, PRIVATE, SHORT, ServedFile, file_response, is_fresh
from registry.api.idempotency import idempotency_key
from registry.api.notices import with_notices
from registry.api.pagination import Cursor
from registry.api.permissions import TokenReadOrScopedWrite
from registry.api.preconditions import etag_of, guarded
from registry.api.schema import IF_MATCH, OBJECT, operation
from registry.api.v1.runs import KEY_HEADER
from registry.api.v1.serializers.lifecycle import YankBody
from registry.api.v1.serializers.presets import (
    MeasureBody,
    MixBody,
    PresetBody,
    PresetChangeBody,
    PresetPublishBody,
    PresetQuery,
    PresetSerializer,
    PresetVersionBriefSerializer,
    PresetVersionSerializer,
    UsesQuery,
    UsesSerializer,
)
from registry.api.v1.serializers.runs import RunSerializer
from registry.catalog.states import Access
from registry.core.errors import NotFoundError
from registry.presets.drafts import (
    MemberWish,
    PresetWish,
    preset_create,
    preset_draft,
    preset_draft_discard,
)
from registry.presets.models import Preset, PresetVersion
from registry.presets.notices import preset_notices
from registry.presets.publishing import preset_publish, preset_unyank, preset_update, preset_yank
from registry.presets.selectors import (
    preset_get,
    preset_search,
    preset_version_get,
    preset_version_list,
)
from registry.presets.states import RELEASED
from registry.presets.uses import preset_uses
from registry.runs.composing import MeasureRequest, measurement_start
from steering_core.formats.preset import MEDIA_TYPE
from steering_core.spec import canonical_json


class PresetSearch(Endpoint):
    """Published presets that you may see, newest first."""

    pagination_class = Cursor

    @operation("presets_search", answer=PresetSerializer(many=True), parameters=[PresetQuery])
    def get(self, request: Request) -> Response:
        query = self.parse(PresetQuery, request.query_params)
        rows = preset_search(
            viewer=self.user if query["mine"] else request.user,
            query=query.get("q", ""),
            owner=query.get("owner", ""),
            base_model=query.get("base_model", ""),
            model_hash=query.get("model_hash", ""),
            domain=query.get("domain", ""),
            mine=query["mine"],
        )
        return self.render_page(PresetSerializer, rows)


class PresetCreate(Endpoint):
    """A new preset with a first draft."""

    @operation("presets_create", status=201, answer=PresetVersionSerializer, request=PresetBody)
    def post(self, request: Request) -> Response:
        body = self.parse(PresetBody, request.data)
        wish = PresetWish(**{**body, "members": _wishes(body)})
        return _made(self, preset_create(actor=self.user, wish=wish))


class PresetEndpoint(Endpoint):
    """Answers with a preset and the ETag of what can be changed of it."""

    def with_etag(self, row: Preset) -> Response:
        """The object and its ETag."""
        response = self.render(PresetSerializer, row)
        response["ETag"] = self.etag(row)
        return response

    def etag(self, row: Preset) -> str:
        """Over all it says."""
        return etag_of(self.wire(PresetSerializer, row))


class PresetGet(PresetEndpoint):
    """One preset. Its `ETag` is for `If-Match`."""

    @operation("presets_get", answer=PresetSerializer)
    def get(self, request: Request, owner: str, name: str) -> Response:
        return self.with_etag(preset_get(viewer=request.user, owner=owner, name=name))


class PresetUpdate(PresetEndpoint):
    """Change the words around your preset or who sees it; published versions keep theirs."""

    @operation("presets_update", answer=PresetSerializer, request=PresetChangeBody, parameters=[IF_MATCH])
    def patch(self, request: Request, owner: str, name: str) -> Response:
        body = self.parse(PresetChangeBody, request.data)
        rows = Preset.objects.filter(names__owner__slug=owner, names__name=name)

        def now() -> str:
            return self.etag(preset_get(viewer=request.user, owner=owner, name=name))

        with guarded(request, rows, now):
            preset_update(actor=self.user, owner=owner, name=name, **body)
        return self.with_etag(preset_get(viewer=request.user, owner=owner, name=name))


class PresetPublish(Endpoint):
    """Freeze a draft of your preset under a version, for good."""

    @operation("presets_publish", status=201, answer=PresetVersionSerializer, request=PresetPublishBody)
    def post(self, request: Request, owner: str, name: str) -> Response:
        body = self.parse(PresetPublishBody, request.data)
        row = preset_publish(
            actor=self.user,
            owner=owner,
            name=name,
            version=body["version"],
            draft_id=str(body.get("draft_id", "")),
            visibility=body.get("visibility", ""),
        )
        return _made(self, row)


class PresetVersionList(Endpoint):
    """The versions of a preset, highest first; drafts before them for those who may change it."""

    pagination_class = Cursor

    @operation("presets_versions_list", answer=PresetVersionBriefSerializer(many=True))
    def get(self, request: Request, owner: str, name: str) -> Response:
        preset = preset_get(viewer=request.user, owner=owner, name=name)
        rows = preset_version_list(viewer=request.user, preset=preset)
        return self.render_page(PresetVersionBriefSerializer, rows)


class PresetDraft(Endpoint):
    """Another draft of your preset."""

    @operation("presets_draft", status=201, answer=PresetVersionSerializer, request=MixBody)
    def post(self, request: Request, owner: str, name: str) -> Response:
        body = self.parse(MixBody, request.data)
        mode = {"mode": body["mode"]} if "mode" in body else {}
        row = preset_draft(actor=self.user, owner=owner, name=name, members=_wishes(body), **mode)
        return _made(self, row)


class PresetVersionGet(Endpoint):
    """All that a client needs to apply a version, in one object; drafts by their id."""

    @operation("presets_version_get", answer=PresetVersionSerializer)
    def get(self, request: Request, owner: str, name: str, preset_ref: str) -> HttpResponse:
        row = preset_version_get(viewer=request.user, owner=owner, name=name, reference=preset_ref)
        body = self.wire(PresetVersionSerializer, row)
        etag = f'"{hashlib.sha256(canonical_json(body)).hexdigest()}"'
        response = HttpResponse(status=304) if is_fresh(request, etag) else Response(body)
        response["ETag"] = etag
        # Of members that are not open to all it says what this caller may have.
        response["Cache-Control"] = SHORT if _is_for_all(row) and _has_open_members(row) else PRIVATE
        if row.digest:
            response["X-Bearing-Digest"] = row.digest
        return with_notices(response, preset_notices(row))


class PresetDraftDiscard(Endpoint):
    """Put a draft out of sight for good; what was published is yanked instead."""

    @operation("presets_draft_discard", status=204, answer=None)
    def delete(self, request: Request, owner: str, name: str, preset_ref: str) -> Response:
        preset_draft_discard(actor=self.user, owner=owner, name=name, reference=preset_ref)
        return Response(status=204)


class PresetDownload(Endpoint):
    """`preset.json`, whose sha256 is the version's digest. Check it against `X-Bearing-Digest`."""

    bucket = "files"

    @operation("presets_version_download", answer=OBJECT, media_type=MEDIA_TYPE)
    def get(self, request: Request, owner: str, name: str, preset_ref: str) -> HttpResponse:
        row = preset_version_get(viewer=request.user, owner=owner, name=name, reference=preset_ref)
        caching = IMMUTABLE if preset_ref.startswith("sha256:") else SHORT
        return preset_file(request, row, caching=caching)


class PresetUses(Endpoint):
    """What engines are told to apply a version: request bodies, flags and code, or why they cannot."""

    bucket = "files"

    @operation("presets_version_uses", answer=UsesSerializer, parameters=[UsesQuery])
    def get(self, request: Request, owner: str, name: str, preset_ref: str) -> Response:
        engine = self.parse(UsesQuery, request.query_params).get("engine", "")
        row = preset_version_get(viewer=request.user, owner=owner, name=name, reference=preset_ref)
        items = preset_uses(viewer=request.user, version=row, engine=engine)
        return self.render(UsesSerializer, {"items": items})


class PresetMeasure(Endpoint):
    """Queue the measurement of a draft: what its vectors do together; watch it under `Location`."""

    bucket = "jobs"
    keeps_its_own_keys = True
    permission_classes = [TokenReadOrScopedWrite]

    @operation(
        "presets_measure", status=202, answer=RunSerializer, request=MeasureBody, parameters=[KEY_HEADER]
    )
    def post(self, request: Request, owner: str, name: str, preset_ref: str) -> Response:
        key = idempotency_key(request)
        body = self.parse(MeasureBody, request.data)
        wanted = MeasureRequest(owner=owner, name=name, reference=preset_ref, **body)
        run, _ = measurement_start(actor=self.user, request=wanted, idempotency_key=key)
        response = self.render(RunSerializer, run, status=202)
        response["Location"] = links.operation("run", run.pk)
        return response


class PresetYank(Endpoint):
    """Withdraw a published version: `latest` skips it, an exact pin still resolves and carries the reason."""

    @operation("presets_yank", answer=PresetVersionSerializer, request=YankBody)
    def post(self, request: Request, owner: str, name: str, version: str) -> Response:
        reason = self.parse(YankBody, request.data)["reason"]
        row = preset_yank(actor=self.user, owner=owner, name=name, version=version, reason=reason)
        return self.render(PresetVersionSerializer, row)


class PresetUnyank(Endpoint):
    """Take a yank back."""

    @operation("presets_unyank", answer=PresetVersionSerializer, request=None)
    def post(self, request: Request, owner: str, name: str, version: str) -> Response:
        row = preset_unyank(actor=self.user, owner=owner, name=name, version=version)
        return self.render(PresetVersionSerializer, row)


class PresetCollection(PresetSearch, PresetCreate):
    """`/presets`"""


class PresetItem(PresetGet, PresetUpdate):
    """`/presets/{owner}/{name}`"""


class PresetVersionCollection(PresetVersionList, PresetDraft):
    """`/presets/{owner}/{name}/versions`"""


class PresetVersionItem(PresetVersionGet, PresetDraftDiscard):
    """`/presets/{owner}/{name}/versions/{ref}`"""


def preset_file(request: Request, row: PresetVersion, *, caching: str) -> HttpResponse:
    """The `preset.json` of a version; `caching` counts for public ones.

    Raises:
        NotFoundError: a draft has none.
    """
    blob = row.manifest
    if blob is None:
        raise NotFoundError("a draft has no file; publish it first", code="artifact.not_found")
    file = ServedFile(
        sha256=blob.sha256,
        size_bytes=blob.size_bytes,
        media_type=MEDIA_TYPE,
        filename=f"{row.preset.owner.slug}-{row.preset.name}-{row.version}-preset.json",
        caching=caching if _is_for_all(row) else PRIVATE,
    )
    return with_notices(file_response(request, file), preset_notices(row))


def _wishes(body: dict[str, Any]) -> list[MemberWish]:
    return [
        MemberWish(**{**member, "range": tuple(member["range"]) if "range" in member else None})
        for member in body["members"]
    ]


def _made(view: Endpoint, row: PresetVersion) -> Response:
    response = view.render(PresetVersionSerializer, row, status=201)
    owner, name = row.preset.owner.slug, row.preset.name
    response["Location"] = links.operation("preset-version", owner, name, row.version or str(row.pk))
    return response


def _is_for_all(row: PresetVersion) -> bool:
    return row.state in RELEASED and row.preset.visibility == Visibility.PUBLIC


def _has_open_members(row: PresetVersion) -> bool:
    vectors = [member.vector_version.vector for member in row.ordered]
    return all(v.access == Access.OPEN and v.visibility == Visibility.PUBLIC for v in vectors)
