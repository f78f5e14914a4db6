"""From a response that refuses to the error that it stands for: by its code first, else by its status."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx

from steering_core.errors import (
    ClientError,
    ConflictError,
    GatedError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    PaidError,
    RateLimitedError,
    RemovedError,
    YankedError,
)

Json = dict[str, Any]

_BY_CODE: dict[str, type[ClientError]] = {
    "access.gated": GatedError,
    "access.purchase_required": PaidError,
    "alias.yanked": YankedError,
}
_BY_STATUS: dict[int, type[ClientError]] = {
    400: InvalidError,
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    410: RemovedError,
    412: ConflictError,
    413: InvalidError,
    422: InvalidError,
    429: RateLimitedError,
    451: RemovedError,
}


def problem_of(response: httpx.Response, read: Callable[[httpx.Response], bytes]) -> Json:
    """The problem object (RFC 9457) in the body; empty where there is none."""
    if "json" not in response.headers.get("Content-Type", ""):
        return {}
    try:
        body = json.loads(read(response))
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def refusal(
    response: httpx.Response, problem: Json, endpoint: str, *, retry_seconds: float | None
) -> ClientError:
    """The error that a refusing response stands for."""
    status = response.status_code
    code = str(problem.get("code") or response.headers.get("X-Error-Code") or f"client.http_{status}")
    message = str(
        problem.get("detail") or response.headers.get("X-Error-Message") or _reason(status, endpoint)
    )
    request_id = problem.get("request_id") or response.headers.get("X-Request-Id")
    if status >= 500 and request_id:
        message = f"{message.rstrip('.')} (request {request_id})"
    if status == 401:
        message = f"{message.rstrip('.')}. Run bearing login, or set BEARING_TOKEN to a valid token"
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, ClientError)
    known: Json = {"code": code[:100], "status": status}
    if kind is RateLimitedError:
        known["retry_seconds"] = retry_seconds
    for name, owner in (("request_url", GatedError), ("purchase_url", PaidError)):
        if kind is owner:
            known[name] = str(problem.get(name) or "")
    return kind(message[:2000], **known)


def _reason(status: int, endpoint: str) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "unknown status"
    return f"{endpoint} answered {status} {phrase} and gave no reason"
