"""Valkey, for what may be lost: counters of requests and of downloads. Runs ring through Celery."""

from functools import cache
from typing import Any

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

# What a request that only counts something catches: it goes on without.
AWAY = (RedisError, OSError)
PREFIX = "bearing:"


def valkey() -> Any:
    """The client of `REDIS_URL`, with a pool of its own; commands raise one of `AWAY`."""
    return _client(settings.REDIS_URL)


@cache
def _client(url: str) -> Any:
    # Short: a web request waits for it.
    return Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1)
