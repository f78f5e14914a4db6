"""The base of every operation: parse what came, call one service or selector, render what it gave.

One class per operation; where two share a path, `v1.urls` joins them.
"""

from collections.abc import Iterable
from typing import Any

from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from registry.accounts.models import User
from registry.api.deprecation import Deprecation
from registry.api.errors import LengthError
from registry.api.files import GRANTED_SECONDS, IMMUTABLE, KEPT_SECONDS
from registry.api.idempotency import once
from registry.api.pagination import Cursor
from registry.api.parsers import JsonBody
from registry.core.errors import NotFoundError


class JsonOnly(BaseContentNegotiation):
    """There is one representation, so `Accept` is not asked: a browser and a download tool get it too."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        kind = str(request.content_type).partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class Endpoint(APIView):
    """What all operations share. Answers are the caller's own unless the operation says otherwise."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    content_negotiation_class = JsonOnly
    parser_classes = [JsonBody]
    # What an upload that was cut is refused with.
    too_large_code = "dataset.file_too_large"
    # Whose rate it counts for, see `throttling`.
    bucket = "api"
    # Whether its service keeps Idempotency-Keys, so that this interface does not.
    keeps_its_own_keys = False
    # Set for an operation that will go.
    deprecation: Deprecation | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "post" in cls.__dict__:
            cls.post = once(cls.__dict__["post"])  # type: ignore[attr-defined]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        method = str(request.method)
        if method not in self.allowed_methods:
            raise MethodNotAllowed(method)
        # PostgreSQL refuses NUL in any text, so no row has such a name.
        if any("\0" in str(value) for value in kwargs.values()):
            raise NotFoundError("no name contains a NUL character", code="request.not_found")
        if "Transfer-Encoding" in request.headers and "Content-Length" not in request.headers:
            raise LengthError("send the body with a Content-Length, not in chunks")
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-store")
        patch_vary_headers(response, ["Authorization"])
        if allowance := request.META.get("bearing.allowance"):
            allowance.mark(response)
        if self.deprecation:
            self.deprecation.mark(response)
        if request.headers.get("X-Bearing-Ask"):
            return self._answer_nginx(request, response)
        if request.headers.get("X-Bearing-Keep") and request.auth is None and response.status_code == 200:
            _let_keep(response)
        return response

    def _answer_nginx(self, request: Request, response: Any) -> Any:
        """Whether the caller may have this file, and where it lies, in place of the file. With 403 nginx asks
        again for the caller, who is told what the matter is.
        """
        path = response.get("X-Accel-Redirect", "")
        del response["X-Accel-Redirect"]
        response.status_code = 204 if path else 403
        response["X-Bearing-File"] = path
        if path and request.auth is not None:
            response["X-Accel-Expires"] = str(GRANTED_SECONDS)
        elif path and response["Cache-Control"] == IMMUTABLE and "ref" not in self.kwargs:
            # Not by a vector's name, since those downloads are counted.
            _let_keep(response)
        return response

    @property
    def user(self) -> User:
        """Who asks, in an operation that takes a token.

        Raises:
            NotAuthenticated: nobody in particular.
        """
        if not isinstance(self.request.user, User):
            raise NotAuthenticated
        return self.request.user

    def parse(self, serializer: type[Serializer[Any]], data: Any) -> dict[str, Any]:
        """The validated fields of a body or a query string.

        Raises:
            ValidationError: a field is missing or not valid.
        """
        bound = serializer(data=data)
        bound.is_valid(raise_exception=True)
        return dict(bound.validated_data)

    def render(self, serializer: type[Serializer[Any]], row: Any, *, status: int = 200) -> Response:
        """One object."""
        return Response(self.wire(serializer, row), status=status)

    def render_page(self, serializer: type[Serializer[Any]], rows: Any, **context: Any) -> Response:
        """One page of a list. A serializer with `prepare` is shown the page first, to ask for all at once."""
        paginator = Cursor()
        page = paginator.paginate_queryset(rows, self.request, view=self)
        if prepare := getattr(serializer, "prepare", None):
            prepare(page, self.request.user)
        # One serializer for all rows: making one takes longer than what it does with a row.
        items = serializer(page, many=True, context=self._context(**context)).data
        return paginator.get_paginated_response(items)

    def wire(self, serializer: type[Serializer[Any]], row: Any, **context: Any) -> dict[str, Any]:
        """A row as it goes over the wire to this viewer; `context` is more for the serializer."""
        return dict(serializer(row, context=self._context(**context)).data)

    def _context(self, **more: Any) -> dict[str, Any]:
        return {"viewer": self.request.user, **more}


class UnknownPath(Endpoint):
    """What answers where nothing is: a problem, not a page."""

    authentication_classes = []
    permission_classes = []
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().check_throttles(request)
        raise NotFoundError(
            "there is nothing at this path; /api/v1/openapi.json lists the paths", code="request.not_found"
        )


def _let_keep(response: Any) -> None:
    """nginx asks so that it may answer others: with what everybody gets, for a moment."""
    if seconds := KEPT_SECONDS.get(response["Cache-Control"]):
        response["X-Accel-Expires"] = str(seconds)
