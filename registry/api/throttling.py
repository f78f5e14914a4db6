"""Request rates, counted in Valkey: per user for who sends a token, per address for everybody else.

Every operation belongs to a bucket, so that a client that pulls files leaves the searches of its user alone:
`resolve` (references to digests, the largest), `files`, `jobs` (what starts runs), `playground` (what has
text written), `pages` (what browsers ask for) and `api` for the rest. Each answer says how much is left
(draft-ietf-httpapi-ratelimit-headers).
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from registry.core.rates import parse_rate
from registry.core.valkey import AWAY, PREFIX, valkey

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a caller may still ask of a bucket in this window of time."""

    bucket: str
    limit: int
    window_seconds: int
    used: int
    reset_seconds: int

    @property
    def is_exceeded(self) -> bool:
        """Whether this request is one too many."""
        return self.used > self.limit

    def mark(self, response: HttpResponse) -> None:
        """Say it in an answer's headers."""
        left = max(self.limit - self.used, 0)
        response["RateLimit"] = f'"{self.bucket}";r={left};t={self.reset_seconds}'
        response["RateLimit-Policy"] = f'"{self.bucket}";q={self.limit};w={self.window_seconds}'


class BucketThrottle(BaseThrottle):
    """One atomic increment per request, so that parallel requests cannot pass it.

    `NUM_PROXIES` says how much of X-Forwarded-For is believed. More tokens of a user give no more requests.
    """

    allowance: Allowance | None = None

    def allow_request(self, request: Request, view: object) -> bool:
        user = request.user
        is_known = bool(user.is_authenticated)
        caller = f"user:{user.pk}" if is_known else f"address:{self.get_ident(request)}"
        bucket = getattr(view, "bucket", "api")
        # One view may start runs and list them.
        bucket = "api" if bucket == "jobs" and request.method in SAFE_METHODS else bucket
        self.allowance = spend(bucket, caller, is_known=is_known)
        request._request.META["bearing.allowance"] = self.allowance
        return self.allowance is None or not self.allowance.is_exceeded

    def wait(self) -> float | None:
        return None if self.allowance is None else float(self.allowance.reset_seconds)


class PageThrottleMiddleware:
    """Counts requests for pages, by address; the REST interface counts its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if allowance := request.META.get("bearing.pages"):
            allowance.mark(response)
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Refuse a page that is one too many, before anything is read for it."""
        is_operation = hasattr(view, "cls")
        if is_operation or request.path == "/healthz":
            return None
        caller = f"address:{BaseThrottle().get_ident(request)}"  # type: ignore[arg-type]
        allowance = request.META["bearing.pages"] = spend("pages", caller, is_known=False)
        if allowance is None or not allowance.is_exceeded:
            return None
        # Without the request, so that nothing is read for whom the page shows.
        page = render_to_string("429.html", {"seconds": allowance.reset_seconds})
        return HttpResponse(page, status=429, headers={"Retry-After": str(allowance.reset_seconds)})


def spend(bucket: str, caller: str, *, is_known: bool) -> Allowance | None:
    """Count one request; None where the bucket has no rate, or Valkey is out of reach: the service answers
    without it.
    """
    rate = api_settings.DEFAULT_THROTTLE_RATES.get(rate_name(bucket, is_known=is_known))
    if not rate:
        return None
    limit, window_seconds = parse_rate(str(rate))
    now = time.time()
    window = int(now // window_seconds)
    key = f"{PREFIX}throttle:{bucket}:{caller}:{window}"
    try:
        with valkey().pipeline(transaction=False) as pipe:
            used, _ = pipe.incr(key).expire(key, window_seconds + 1).execute()
    except AWAY as error:
        logger.warning("valkey out of reach, request not counted", extra={"error": type(error).__name__})
        return None
    return Allowance(bucket, limit, window_seconds, used, math.ceil((window + 1) * window_seconds - now))


def rate_name(bucket: str, *, is_known: bool) -> str:
    """The key of a rate in the settings: `anon` and `user` for `api`, else `files-anon` and so on."""
    kind = "user" if is_known else "anon"
    return kind if bucket == "api" else f"{bucket}-{kind}"
