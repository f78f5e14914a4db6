"""Where a page of a search ended: the values that its last row was ordered by, and its id."""

import base64
import binascii
import json
import math
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from registry.core.errors import InvalidError


def encode_cursor(order: str, place: Sequence[Any]) -> str:
    """The cursor after a row.

    Args:
        order: the name of the order, since a cursor of another one means nothing.
        place: what the row is ordered by, its id last.
    """
    *keys, row_id = place
    values = [key.isoformat() if isinstance(key, datetime) else key for key in keys]
    text = json.dumps([order, *values, str(row_id)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, order: str, n_keys: int) -> list[Any]:
    """What `encode_cursor` was given.

    Raises:
        InvalidError: it is not a cursor of this order.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        named, *values, row_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if named != order or len(values) != n_keys:
            raise ValueError("a cursor of another order")
        return [*map(_key, values), uuid.UUID(row_id)]
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error) as error:
        raise InvalidError(
            "this cursor is not valid here; send the next_cursor of the page before unchanged and with the "
            "same search, or none at all",
            code="cursor.invalid",
            fields={"cursor": "not a cursor of this search"},
        ) from error


def _key(value: Any) -> float | int | datetime:
    """A score, a count or a moment."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    if abs(value) > 2**62:
        raise ValueError("no count")
    return value
