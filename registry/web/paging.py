"""Pages of a list by cursor: where the last row stood, not how many came before; nothing is shown twice."""

import base64
import binascii
import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from registry.core.errors import InvalidError
from registry.discovery.search import Found

PAGE_SIZE = 24
_DAMAGED = "this page link is damaged; start from the first page"


@dataclass(frozen=True, slots=True)
class Page:
    """One page; the queries are what follows the `?` of its neighbours, empty where there is none."""

    items: list[Any]
    next_query: str
    first_query: str

    @property
    def has_others(self) -> bool:
        """Whether there is anything to turn to."""
        return bool(self.next_query or self.first_query)


def paginate_found(request: HttpRequest, found: Found, size: int) -> Page:
    """The page of a search that `?cursor=` names.

    Raises:
        InvalidError: the cursor was not given out for this search.
    """
    cursor = request.GET.get("cursor", "")
    try:
        items, following = found.page(size, cursor)
    except InvalidError as error:
        raise InvalidError(_DAMAGED, code=error.code) from error
    return Page(items, _query(request, following) if following else "", _query(request, "") if cursor else "")


def paginate(request: HttpRequest, rows: QuerySet[Any], size: int = PAGE_SIZE) -> Page:
    """The page that `?cursor=` names, of rows with `created_at` and `id`, newest first.

    Raises:
        InvalidError: the cursor is not one that this function gave out.
    """
    cursor = request.GET.get("cursor", "")
    if cursor:
        at, row_id = _decode(cursor)
        rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, id__gt=row_id))
    items = list(rows.order_by("-created_at", "id")[: size + 1])
    following = ""
    if len(items) > size:
        items = items[:size]
        following = _query(request, _encode(items[-1]))
    return Page(items, following, _query(request, "") if cursor else "")


def paginate_events(request: HttpRequest, rows: QuerySet[Any], size: int = PAGE_SIZE) -> Page:
    """As `paginate`, of rows that are numbered in the order in which they came, such as the log's.

    Raises:
        InvalidError: the cursor is no number.
    """
    cursor = request.GET.get("cursor", "")
    if cursor:
        if not re.fullmatch(r"[0-9]{1,18}", cursor):
            raise InvalidError(_DAMAGED, code="cursor.invalid")
        rows = rows.filter(pk__lt=int(cursor))
    items = list(rows.order_by("-pk")[: size + 1])
    following = _query(request, str(items[size - 1].pk)) if len(items) > size else ""
    return Page(items[:size], following, _query(request, "") if cursor else "")


def _query(request: HttpRequest, cursor: str) -> str:
    query = request.GET.copy()
    query.pop("cursor", None)
    if cursor:
        query["cursor"] = cursor
    return "?" + query.urlencode()


def _encode(row: Any) -> str:
    text = json.dumps([row.created_at.isoformat(), str(row.pk)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        text = base64.urlsafe_b64decode(cursor[:200] + "=" * (-len(cursor[:200]) % 4))
        at, row_id = json.loads(text)
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment, uuid.UUID(row_id)
    except (binascii.Error, ValueError, TypeError, AttributeError) as error:
        raise InvalidError(_DAMAGED, code="cursor.invalid") from error
