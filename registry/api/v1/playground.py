"""The playground: have texts written without and with a mix of vectors, and watch them come."""

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from registry.api.endpoint import Endpoint
from registry.api.permissions import AnyToken
from registry.api.schema import operation
from registry.api.v1.runs import EVENT_ID_HEADER
from registry.api.v1.serializers.playground import (
    SnapshotSerializer,
    StartedSerializer,
    WishBody,
    wish_of,
)
from registry.core.streams import MEDIA_TYPE as STREAM
from registry.core.streams import streamed
from registry.playground.limits import Caller, caller_of
from registry.playground.services import play_cancel, play_get, play_snapshot, play_start
from registry.playground.streams import play_stream


class EveryOne(AnyToken):
    """Nothing is stored, so it works without a token too."""

    def allows_anonymous(self, method: str) -> bool:
        return True


class PlaygroundEndpoint(Endpoint):
    """What is asked of the playground belongs to who asked, be it an address."""

    permission_classes = [EveryOne]

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return caller_of(self.request.user, address=BaseThrottle().get_ident(self.request))


class PlaygroundStart(PlaygroundEndpoint):
    """Have texts written. A newer request of yours takes the place of the last."""

    bucket = "playground"

    @operation("playground_start", status=202, answer=StartedSerializer, request=WishBody)
    def post(self, request: Request) -> Response:
        wish = wish_of(self.parse(WishBody, request.data))
        started = play_start(viewer=request.user, caller=self.caller, wish=wish)
        response = self.render(StartedSerializer, started, status=202)
        response["Location"] = response.data["url"]
        return response


class PlaygroundGet(PlaygroundEndpoint):
    """The texts of your request as far as they are written."""

    @operation("playground_get", answer=SnapshotSerializer)
    def get(self, request: Request, request_id: str) -> Response:
        return self.render(SnapshotSerializer, play_snapshot(caller=self.caller, job_id=request_id))


class PlaygroundCancel(PlaygroundEndpoint):
    """Stop your request."""

    @operation("playground_cancel", status=204, answer=None)
    def delete(self, request: Request, request_id: str) -> Response:
        play_cancel(caller=self.caller, job_id=request_id)
        return Response(status=204)


class PlaygroundStream(PlaygroundEndpoint):
    """Your request as server-sent events: `queued` (position), `neutral` and `steered` (mix, text: what was
    added), `warning`, and at last `done` or `error`.
    """

    @operation("playground_stream", answer=str, media_type=STREAM, parameters=[EVENT_ID_HEADER])
    def get(self, request: Request, request_id: str) -> HttpResponseBase:
        job = play_get(caller=self.caller, job_id=request_id)
        if request.method == "HEAD":
            return streamed(())
        return play_stream(job, after=request.headers.get("Last-Event-ID", ""))


class PlaygroundItem(PlaygroundGet, PlaygroundCancel):
    """`/playground/requests/{id}`"""
