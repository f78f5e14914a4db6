"""Notices as headers: `Warning: 299 - "…"` (RFC 7234), one for each, as container registries send them."""

from collections.abc import Iterable

from django.http import HttpResponse

from registry.api.errors import header_text
from registry.catalog.notices import Notice


def with_notices(response: HttpResponse, notices: Iterable[Notice]) -> HttpResponse:
    """The response, with a warning for each notice."""
    if texts := [_quoted(notice.message) for notice in notices]:
        response["Warning"] = ", ".join(f'299 - "{text}"' for text in texts)
    return response


def _quoted(text: str) -> str:
    return header_text(text).replace("\\", "/").replace('"', "'")
