"""Every failure as `application/problem+json` (RFC 9457) with a stable code. docs/api.md lists the codes.

A RegistryError or SteeringError brings its code along; what Django, DRF and the database raise gets one here.
"""

import logging
import math
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response

from registry.core.errors import NotAuthenticatedError, RegistryError, UnavailableError
from registry.core.logging import request_id
from steering_core.errors import SteeringError

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5
CODES: dict[type[exceptions.APIException], str] = {
    exceptions.ValidationError: "request.invalid",
    exceptions.ParseError: "request.parse_error",
    exceptions.NotAuthenticated: "request.not_authenticated",
    exceptions.PermissionDenied: "request.not_allowed",
    exceptions.MethodNotAllowed: "request.method_not_allowed",
    exceptions.UnsupportedMediaType: "request.unsupported_media_type",
    exceptions.Throttled: "request.throttled",
}
ASK_FOR_TOKEN = (
    "this takes a token; make one on your settings page and send it as `Authorization: Bearer brg_…`"  # noqa: S105  words, not a password
)


class TooLargeError(RegistryError):
    """More bytes than are read."""

    http_status = 413
    default_code = "request.too_large"


class UnsupportedError(RegistryError):
    """A form of body that is not read here."""

    http_status = 415
    default_code = "request.unsupported_media_type"


class LengthError(RegistryError):
    """A body whose length is not said beforehand; it would be read as an empty one."""

    http_status = 411
    default_code = "request.length_required"


class RangeError(RegistryError):
    """A range outside the file."""

    http_status = 416
    default_code = "range.not_satisfiable"

    def __init__(self, message: str, *, size_bytes: int) -> None:
        super().__init__(message)
        self.size_bytes = size_bytes


def problem_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Turn any exception of a view into a problem."""
    if isinstance(error, RegistryError):
        return _of_registry(error)
    if isinstance(error, SteeringError):
        return problem(422, error.code, error.message)
    if isinstance(error, exceptions.APIException):
        return _of_rest_framework(error)
    if isinstance(error, Http404):
        return problem(404, "request.not_found", "there is nothing at this path; docs/api.md lists the paths")
    if isinstance(error, PermissionDenied):
        return problem(403, "request.not_allowed", "you may not do this")
    if isinstance(error, RequestDataTooBig):
        return problem(413, "request.too_large", "the form fields are too large; send long texts as a file")
    if isinstance(error, (SuspiciousOperation, UnreadablePostError)):
        return problem(
            400, "request.parse_error", "the request cannot be read: too many fields or files, or cut short"
        )
    if isinstance(error, (OperationalError, InterfaceError)):
        logger.error("database out of reach", exc_info=error)
        detail = "the database cannot be reached just now; try again in a moment"
        return problem(503, "database.unavailable", detail, headers={"Retry-After": str(RETRY_SECONDS)})
    logger.error("unexpected error", exc_info=error)
    return problem(500, "internal", "something went wrong here; report it with the request id")


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
    members: dict[str, str] | None = None,
) -> Response:
    """The problem itself. The code and the message stand in headers too, for answers to HEAD."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": errors or [],
        "request_id": request_id.get(),
        **(members or {}),
    }
    response = Response(body, status=status, content_type="application/problem+json", headers=headers)
    response["X-Error-Code"] = code
    response["X-Error-Message"] = header_text(detail)
    response["Cache-Control"] = "no-store"
    return response


def header_text(text: str) -> str:
    """Printable ASCII on one line, at most 300 characters, so that no text of a user can end a header."""
    return "".join(c if " " <= c <= "~" else "?" for c in " ".join(text.split()))[:300]


def _of_registry(error: RegistryError) -> Response:
    errors = [
        {"pointer": pointer(name), "code": error.code, "detail": detail}
        for name, detail in error.fields.items()
    ]
    if error.http_status == 500:
        logger.error("damage", exc_info=error, extra={"code": error.code})
    headers: dict[str, str] = {}
    if isinstance(error, NotAuthenticatedError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = str(RETRY_SECONDS)
    if isinstance(error, RangeError):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    return problem(
        error.http_status, error.code, error.message, errors=errors, headers=headers, members=error.members
    )


def _of_rest_framework(error: exceptions.APIException) -> Response:
    code = CODES.get(type(error), "request.failed")
    headers: dict[str, str] = {}
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flat(error.detail, ""))
        detail = "; ".join(f"{item['pointer'].lstrip('/') or 'body'}: {item['detail']}" for item in errors)
        return problem(422, code, detail, errors=errors)
    if isinstance(error, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
        headers["WWW-Authenticate"] = getattr(error, "auth_header", "Bearer")
    if isinstance(error, exceptions.NotAuthenticated):
        return problem(401, code, ASK_FOR_TOKEN, headers=headers)
    if isinstance(error, exceptions.AuthenticationFailed):
        return problem(401, str(error.get_codes()), str(error.detail), headers=headers)
    if isinstance(error, exceptions.Throttled):
        wait_seconds = math.ceil(getattr(error, "wait", None) or 1)
        headers["Retry-After"] = str(wait_seconds)
        return problem(
            429, code, f"too many requests; the next one is welcome in {wait_seconds} s", headers=headers
        )
    return problem(error.status_code, code, str(error.detail), headers=headers)


def _flat(detail: Any, place: str) -> Iterator[dict[str, str]]:
    """DRF's nested lists and dicts of messages as one list with JSON pointers."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flat(inner, place if name == "non_field_errors" else place + pointer(str(name)))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _flat(inner, place)
    else:
        yield {"pointer": place, "code": str(getattr(detail, "code", "invalid")), "detail": str(detail)}


def pointer(name: str) -> str:
    """A JSON pointer (RFC 6901) to a member of the body."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
