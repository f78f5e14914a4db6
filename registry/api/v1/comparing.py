"""What changed between two versions, and what refers to one."""

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api.endpoint import Endpoint
from registry.api.files import PRIVATE, SHORT
from registry.api.schema import OBJECT, operation
from registry.api.v1.referrers import REPORT_TYPE, referrer_list
from registry.api.v1.serializers.comparing import (
    DiffSerializer,
    ReferrerListSerializer,
    ReferrerQuery,
)
from registry.api.v1.serializers.vectors import VersionBriefSerializer
from registry.api.v1.versions import is_public
from registry.catalog.comparing import version_diff, version_other
from registry.catalog.models import VectorVersion
from registry.catalog.selectors import version_get
from registry.catalog.states import Access
from registry.core.errors import NotFoundError
from steering_core.spec import canonical_json, digest


class VersionDiff(Endpoint):
    """What changed from one version to another, of the same vector or of another one."""

    @operation("vectors_version_diff", answer=DiffSerializer)
    def get(self, request: Request, owner: str, name: str, ref: str, other: str) -> Response:
        before = version_get(viewer=request.user, owner=owner, name=name, reference=ref)
        after = version_other(viewer=request.user, version=before, other=other)
        found = version_diff(viewer=request.user, before=before, after=after)
        shown = {name: _plain(getattr(found, name)) for name in found.__slots__}
        shown["before"] = self.wire(VersionBriefSerializer, before)
        shown["after"] = self.wire(VersionBriefSerializer, after)
        response = Response(shown)
        response["Cache-Control"] = SHORT if _is_for_all(before) and _is_for_all(after) else PRIVATE
        return response


class VersionReferrers(Endpoint):
    """What refers to a version: its report, its certificate, and what else was made of it, by digest."""

    @operation("vectors_version_referrers", answer=ReferrerListSerializer, parameters=[ReferrerQuery])
    def get(self, request: Request, owner: str, name: str, ref: str) -> Response:
        wanted = self.parse(ReferrerQuery, request.query_params).get("type", "")
        row = version_get(viewer=request.user, owner=owner, name=name, reference=ref)
        items = [item for item in referrer_list(request.user, row) if wanted in ("", item.type)]
        return self.render(ReferrerListSerializer, {"subject": row.digest, "items": items})


class VersionReport(Endpoint):
    """The report alone, in the canonical form that its digest is of."""

    @operation("vectors_version_report", answer=OBJECT)
    def get(self, request: Request, owner: str, name: str, ref: str) -> HttpResponse:
        row = version_get(viewer=request.user, owner=owner, name=name, reference=ref)
        if row.report is None:
            raise NotFoundError("this version has no report yet", code="report.not_found")
        data = canonical_json(row.report)
        response = HttpResponse(data, content_type=REPORT_TYPE)
        response["ETag"] = f'"{digest(data).removeprefix("sha256:")}"'
        response["X-Bearing-Digest"] = digest(data)
        response["Cache-Control"] = SHORT if is_public(row) else PRIVATE
        return response


def _is_for_all(row: VectorVersion) -> bool:
    """Whether everybody is told the same."""
    return is_public(row) and row.vector.access == Access.OPEN


def _plain(value: Any) -> Any:
    return [asdict(item) for item in value] if isinstance(value, tuple) else value
