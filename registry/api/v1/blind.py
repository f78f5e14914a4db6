"""What people say who compared replies without knowing which one is steered. The test itself is a page."""

import uuid

from django.http import HttpResponse
from rest_framework.request import Request

from registry.api.endpoint import Endpoint
from registry.api.schema import operation
from registry.api.v1.serializers.blind import BlindTestSerializer
from registry.catalog.models import VectorVersion
from registry.catalog.selectors import version_get, version_get_by_id
from registry.trust.selectors import blind_conclusion, blind_items, conclusion_json
from steering_core.spec import canonical_json


class VersionBlindTest(Endpoint):
    """The blind test of a version: what all answers show until now."""

    @operation("vectors_version_blind_test", answer=BlindTestSerializer)
    def get(self, request: Request, owner: str, name: str, ref: str) -> HttpResponse:
        return self.conclusion(version_get(viewer=request.user, owner=owner, name=name, reference=ref))

    def conclusion(self, row: VectorVersion) -> HttpResponse:
        """What is known of a version whose report has replies to compare; else the 404 that says why not.

        In canonical form, of which `referrers` has the digest.
        """
        blind_items(version=row)
        data = canonical_json(conclusion_json(blind_conclusion(version=row)))
        return HttpResponse(data, content_type="application/json")


class DraftBlindTest(VersionBlindTest):
    """The blind test of a version by its row id; for its owner, drafts too."""

    @operation("versions_blind_test", answer=BlindTestSerializer)
    def get(self, request: Request, version_id: uuid.UUID) -> HttpResponse:  # type: ignore[override]
        return self.conclusion(version_get_by_id(viewer=request.user, version_id=str(version_id)))
