"""ETags of objects, and changes that only happen to what the caller has seen (`If-Match`, RFC 9110).

with guarded(request, Vector.objects.filter(pk=vector.pk), lambda: self.etag(vector.pk)):
    vector_update(...)
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.http import parse_etags
from rest_framework.request import Request

from registry.core.errors import RegistryError
from steering_core.spec import canonical_json


class PreconditionError(RegistryError):
    """The object is not, or no longer, what the caller wants to change."""

    http_status = 412
    default_code = "precondition.failed"


def etag_of(body: Any) -> str:
    """The strong ETag of a JSON body."""
    return f'"{hashlib.sha256(canonical_json(body)).hexdigest()}"'


def check_if_match(request: Request, etag: str | None) -> None:
    """Refuse when `If-Match` names another ETag; without that header, or with `*`, anything goes.

    Args:
        etag: of the object as it is now; None where there is none, which no `If-Match` matches.
    Raises:
        PreconditionError: it names another one.
    """
    if "If-Match" not in request.headers:
        return
    wanted = parse_etags(request.headers["If-Match"])
    if etag is not None and ("*" in wanted or etag in wanted):
        return
    now = f"its ETag is {etag}" if etag else "it does not exist"
    raise PreconditionError(f"somebody changed it meanwhile: {now} now; read it again, then change it")


@contextmanager
def guarded(request: Request, rows: QuerySet[Any], etag: Callable[[], str | None]) -> Iterator[None]:
    """A transaction around a change, with the rows locked, so that nothing comes between look and change.

    Args:
        rows: what to lock.
        etag: gives the present ETag; called once the rows are locked.
    Raises:
        PreconditionError: `If-Match` names another ETag.
    """
    with transaction.atomic():
        if "If-Match" in request.headers:
            list(rows.select_for_update(of=("self",)).values_list("pk"))
            check_if_match(request, etag())
        yield
