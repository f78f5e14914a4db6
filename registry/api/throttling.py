"""Request rates, counted in the cache: per token's user, and per address for everybody else."""

import logging
import time

from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

logger = logging.getLogger(__name__)

WINDOW_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class WindowThrottle(BaseThrottle):
    """A counter per caller and window of time: one atomic increment, so parallel requests cannot pass it.

    A cache that is out of reach lets requests through: the service answers without it.
    """

    scope = ""
    wait_seconds: float | None = None

    def caller(self, request: Request) -> str | None:
        """Whom the request counts for; None when it does not count here."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: object) -> bool:
        rate = api_settings.DEFAULT_THROTTLE_RATES.get(self.scope)
        caller = self.caller(request)
        if not rate or caller is None:
            return True
        limit, window_seconds = parse_rate(str(rate))
        now = time.time()
        window = int(now // window_seconds)
        self.wait_seconds = (window + 1) * window_seconds - now
        key = f"throttle:{self.scope}:{caller}:{window}"
        try:
            cache.add(key, 0, timeout=window_seconds + 1)
            return bool(cache.incr(key) <= limit)
        except (RedisError, OSError) as error:
            logger.warning("cache out of reach, request not counted", extra={"error": type(error).__name__})
            return True

    def wait(self) -> float | None:
        return self.wait_seconds


class AnonThrottle(WindowThrottle):
    """Requests without a token, by address. `NUM_PROXIES` says how much of X-Forwarded-For is believed."""

    scope = "anon"

    def caller(self, request: Request) -> str | None:
        return None if request.user.is_authenticated else str(self.get_ident(request))


class UserThrottle(WindowThrottle):
    """Requests with a token, by user, so that more tokens give no more requests."""

    scope = "user"

    def caller(self, request: Request) -> str | None:
        return str(request.user.pk) if request.user.is_authenticated else None


def parse_rate(rate: str) -> tuple[int, int]:
    """`300/min` -> (300, 60); the settings have checked its form."""
    count, _, unit = rate.partition("/")
    return int(count), WINDOW_SECONDS[unit[0]]
