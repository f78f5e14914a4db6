"""Runs: start, watch, cancel. A run is seen by whoever started it, and by those who may change its vector."""

import uuid

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.files import PRIVATE, ServedFile, file_response
from registry.api.idempotency import idempotency_key
from registry.api.pagination import Cursor
from registry.api.permissions import TokenReadOrScopedWrite
from registry.api.schema import FILE, operation
from registry.api.v1.serializers.runs import (
    EventQuery,
    MigrationBody,
    RunBody,
    RunEventsSerializer,
    RunSerializer,
)
from registry.runs.selectors import event_list, run_get, run_list, run_statistics
from registry.runs.services import (
    ExtractionRequest,
    MigrationRequest,
    extraction_start,
    migration_start,
    run_cancel,
)
from steering_core.extraction.statistics import MEDIA_TYPE

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="At most 200 printable ASCII characters. The same key and body give the same run again.",
)


class RunStart(Endpoint):
    """Queue an extraction; watch it under `Location`."""

    bucket = "jobs"
    keeps_its_own_keys = True
    permission_classes = [TokenReadOrScopedWrite]

    @operation("runs_start", status=202, answer=RunSerializer, request=RunBody, parameters=[KEY_HEADER])
    def post(self, request: Request) -> Response:
        key = idempotency_key(request)
        wanted = ExtractionRequest(**self.parse(RunBody, request.data))
        run, _ = extraction_start(actor=self.user, request=wanted, idempotency_key=key)
        response = self.render(RunSerializer, run, status=202)
        response["Location"] = links.operation("run", run.pk)
        return response


class MigrationStart(Endpoint):
    """Queue the move of a version to another base model; watch it under `Location`."""

    bucket = "jobs"
    keeps_its_own_keys = True
    permission_classes = [TokenReadOrScopedWrite]

    @operation(
        "migrations_start", status=202, answer=RunSerializer, request=MigrationBody, parameters=[KEY_HEADER]
    )
    def post(self, request: Request) -> Response:
        key = idempotency_key(request)
        wanted = MigrationRequest(**self.parse(MigrationBody, request.data))
        run, _ = migration_start(actor=self.user, request=wanted, idempotency_key=key)
        response = self.render(RunSerializer, run, status=202)
        response["Location"] = links.operation("run", run.pk)
        return response


class RunList(Endpoint):
    """Your runs, newest first."""

    permission_classes = [TokenReadOrScopedWrite]
    pagination_class = Cursor

    @operation("runs_list", answer=RunSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.render_page(RunSerializer, run_list(viewer=self.user))


class RunGet(Endpoint):
    """One of your runs."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("runs_get", answer=RunSerializer)
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        return self.render(RunSerializer, run_get(viewer=self.user, run_id=str(run_id)))


class RunEvents(Endpoint):
    """The log of a run after an event id, oldest first."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("runs_events", answer=RunEventsSerializer, parameters=[EventQuery])
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        query = self.parse(EventQuery, request.query_params)
        run = run_get(viewer=self.user, run_id=str(run_id))
        return self.render(RunEventsSerializer, {"items": event_list(run=run, after=query["after"])})


class RunStatistics(Endpoint):
    """The activations that a run kept, to derive directions from. Check them against `X-Bearing-Digest`."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("runs_statistics", answer=FILE, media_type=MEDIA_TYPE)
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponse:
        run = run_get(viewer=self.user, run_id=str(run_id))
        blob = run_statistics(run=run)
        vector = run.vector_version.vector
        file = ServedFile(
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            media_type=MEDIA_TYPE,
            filename=f"{vector.owner.slug}-{vector.name}-{run.pk}-statistics.safetensors",
            caching=PRIVATE,
        )
        return file_response(request, file)


class RunCancel(Endpoint):
    """Cancel a run: at once while it waits, at its next step while it works."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("runs_cancel", answer=RunSerializer, request=None)
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        return self.render(RunSerializer, run_cancel(actor=self.user, run_id=str(run_id)))


class RunCollection(RunList, RunStart):
    """`/runs`"""
