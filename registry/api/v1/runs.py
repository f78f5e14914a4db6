"""Runs: start, watch, cancel. A run is seen by whoever started it, and by those who may change its vector."""

import uuid

from django.http import HttpResponse, HttpResponseBase
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
from registry.api.streams import run_stream, waited, wants_stream
from registry.api.v1.serializers.runs import (
    EventQuery,
    ImportBody,
    MigrationBody,
    RunBody,
    RunEventSerializer,
    RunEventsSerializer,
    RunQuery,
    RunSerializer,
)
from registry.core.streams import MEDIA_TYPE as STREAM
from registry.runs.importing import ImportRequest, import_start
from registry.runs.models import Run
from registry.runs.retrying import run_retry
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
PREFER_HEADER = OpenApiParameter(
    "Prefer",
    location=OpenApiParameter.HEADER,
    description="`wait=N`: answer when the run has ended, after N seconds (60) at the latest.",
)
EVENT_ID_HEADER = OpenApiParameter(
    "Last-Event-ID",
    location=OpenApiParameter.HEADER,
    description="Of a stream that is taken up again: the id of the last event that came.",
)
ENDED = {200: RunSerializer}


class RunEndpoint(Endpoint):
    """What starting and reading a run share."""

    permission_classes = [TokenReadOrScopedWrite]

    def waited_for(self, run: Run, *, status: int = 200) -> Response:
        """A run once it has ended, or as it is when the wait that `Prefer` asks for is over.

        Args:
            status: for one that has not ended.
        """
        seconds = waited(self.request, run)
        if seconds is not None:
            run = run_get(viewer=self.user, run_id=str(run.pk))
            status = 200 if run.is_over else status
        response = self.render(RunSerializer, run, status=status)
        if seconds is not None:
            response["Preference-Applied"] = f"wait={seconds}"
        return response


class RunStart(RunEndpoint):
    """Queue an extraction; watch it under `Location`."""

    bucket = "jobs"
    keeps_its_own_keys = True

    @operation(
        "runs_start",
        status=202,
        answer=RunSerializer,
        request=RunBody,
        parameters=[KEY_HEADER, PREFER_HEADER],
        also=ENDED,
    )
    def post(self, request: Request) -> Response:
        key = idempotency_key(request)
        wanted = ExtractionRequest(**self.parse(RunBody, request.data))
        run, _ = extraction_start(actor=self.user, request=wanted, idempotency_key=key)
        response = self.waited_for(run, status=202)
        response["Location"] = links.operation("run", run.pk)
        return response


class MigrationStart(RunEndpoint):
    """Queue the move of a version to another base model; watch it under `Location`."""

    bucket = "jobs"
    keeps_its_own_keys = True

    @operation(
        "migrations_start",
        status=202,
        answer=RunSerializer,
        request=MigrationBody,
        parameters=[KEY_HEADER, PREFER_HEADER],
        also=ENDED,
    )
    def post(self, request: Request) -> Response:
        key = idempotency_key(request)
        wanted = MigrationRequest(**self.parse(MigrationBody, request.data))
        run, _ = migration_start(actor=self.user, request=wanted, idempotency_key=key)
        response = self.waited_for(run, status=202)
        response["Location"] = links.operation("run", run.pk)
        return response


class VectorImport(RunEndpoint):
    """Make a version of a file that you uploaded; watch it under `Location`.

    It is shown as imported for good, and never sold.
    """

    bucket = "jobs"
    keeps_its_own_keys = True

    @operation(
        "vectors_import",
        status=202,
        answer=RunSerializer,
        request=ImportBody,
        parameters=[KEY_HEADER, PREFER_HEADER],
        also=ENDED,
    )
    def post(self, request: Request, owner: str, name: str) -> Response:
        key = idempotency_key(request)
        body = self.parse(ImportBody, request.data)
        wanted = ImportRequest(**{**body, "upload": str(body["upload"])}, vector=f"{owner}/{name}")
        run, _ = import_start(actor=self.user, request=wanted, idempotency_key=key)
        response = self.waited_for(run, status=202)
        response["Location"] = links.operation("run", run.pk)
        return response


class RunList(Endpoint):
    """Your runs, newest first."""

    permission_classes = [TokenReadOrScopedWrite]
    pagination_class = Cursor

    @operation("runs_list", answer=RunSerializer(many=True), parameters=[RunQuery])
    def get(self, request: Request) -> Response:
        asked = {key: text for key, text in request.query_params.items() if key not in ("cursor", "limit")}
        return self.render_page(RunSerializer, run_list(viewer=self.user, **self.parse(RunQuery, asked)))


class RunGet(RunEndpoint):
    """One of your runs."""

    @operation("runs_get", answer=RunSerializer, parameters=[PREFER_HEADER])
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        return self.waited_for(run_get(viewer=self.user, run_id=str(run_id)))


class RunEvents(RunEndpoint):
    """The log of a run after an event id, oldest first; with `Accept: text/event-stream`, as it goes on."""

    @operation(
        "runs_events",
        answer=RunEventsSerializer,
        parameters=[EventQuery, EVENT_ID_HEADER],
        also={(200, STREAM): str, 204: None},
    )
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponseBase:
        query = self.parse(EventQuery, request.query_params)
        run = run_get(viewer=self.user, run_id=str(run_id))
        if wants_stream(request):
            return run_stream(
                request,
                run,
                after=query["after"],
                shown=lambda: self.wire(RunSerializer, run_get(viewer=self.user, run_id=str(run_id))),
                line=lambda event: self.wire(RunEventSerializer, event),
            )
        return self.render(RunEventsSerializer, {"items": event_list(run=run, after=query["after"])})


class RunStatistics(Endpoint):
    """The activations that a run kept, to derive directions from. Check them against `X-Bearing-Digest`."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("runs_statistics", answer=FILE, media_type=MEDIA_TYPE)
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponse:
        run = run_get(viewer=self.user, run_id=str(run_id))
        blob = run_statistics(run=run)
        row = run.subject
        file = ServedFile(
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            media_type=MEDIA_TYPE,
            filename=f"{row.owner.slug}-{row.name}-{run.pk}-statistics.safetensors",
            caching=PRIVATE,
        )
        return file_response(request, file)


class RunCancel(Endpoint):
    """Cancel a run: at once while it waits, at its next step while it works."""

    permission_classes = [TokenReadOrScopedWrite]

    @operation("runs_cancel", answer=RunSerializer, request=None)
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        return self.render(RunSerializer, run_cancel(actor=self.user, run_id=str(run_id)))


class RunRetry(RunEndpoint):
    """Start a run that ended without a result again: a new run that asks for the same, under `Location`.

    Asked twice, the first new run is given again.
    """

    bucket = "jobs"

    @operation("runs_retry", status=202, answer=RunSerializer, request=None, also=ENDED)
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        run, is_new = run_retry(actor=self.user, run_id=str(run_id))
        response = self.render(RunSerializer, run, status=202 if is_new else 200)
        response["Location"] = links.operation("run", run.pk)
        return response


class RunCollection(RunList, RunStart):
    """`/runs`"""
