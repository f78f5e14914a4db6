"""Who asks, and how many tokens they may have written for them in a window of time."""

import math
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from registry.core.errors import QuotaExceededError
from registry.core.rates import parse_rate
from registry.core.valkey import PREFIX, valkey


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks.

    Attributes:
        place: whose turn it is in the line; one person behind a shared address is told from another.
        purse: whose tokens are counted; all who come from one address without an account share one.
    """

    place: str
    purse: str
    is_known: bool


def caller_of(user: Any, *, address: str, visitor: str = "") -> Caller:
    """The caller of a request.

    Args:
        visitor: what tells a browser without an account from others of its address.
    """
    if user.is_authenticated:
        return Caller(f"user:{user.pk}", f"user:{user.pk}", True)
    return Caller(f"address:{address}:{visitor}", f"address:{address}", False)


def check_tokens(caller: Caller) -> None:
    """Refuse whoever has had all the tokens of this window.

    Raises:
        QuotaExceededError: says how many, and when there are new ones.
    """
    rate = settings.PLAYGROUND_TOKENS_USER if caller.is_known else settings.PLAYGROUND_TOKENS_ANON
    if rate is None:
        return
    limit, window = parse_rate(rate)
    used = int(valkey().get(_key(caller.purse, window)) or 0)
    if used < limit:
        return
    wait = math.ceil(window - time.time() % window)
    more = "" if caller.is_known else "; with an account there are more"
    raise QuotaExceededError(
        f"{used:,} tokens were written for you in this window of {window} s; {limit:,} are what everybody "
        f"has. The next ones are there in {wait} s{more}",
        code="playground.tokens_spent",
    )


def count_tokens(purse: str, n_tokens: int) -> None:
    """Take what was written off a purse, in the window of either rate."""
    if not n_tokens:
        return
    windows = {parse_rate(rate)[1] for rate in _rates() if rate is not None}
    with valkey().pipeline(transaction=False) as pipe:
        for window in windows:
            key = _key(purse, window)
            pipe.incrby(key, n_tokens).expire(key, window + 1)
        pipe.execute()


def _rates() -> tuple[str | None, str | None]:
    return settings.PLAYGROUND_TOKENS_USER, settings.PLAYGROUND_TOKENS_ANON


def _key(purse: str, window: int) -> str:
    return f"{PREFIX}play:tokens:{window}:{purse}:{int(time.time() // window)}"
