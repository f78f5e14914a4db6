"""The log of one's own namespace and of an organisation's: filtered, paged, and as a file."""

import json
from collections.abc import Iterator
from datetime import UTC

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from registry.accounts.selectors import EventQuery, event_list
from registry.audit.models import AuditEvent
from registry.web.http import user_of
from registry.web.paging import paginate_events
from registry.web.sentences import NOUNS, line_of
from registry.web.views.organisations import frame_of, managed

SHOWN = 50
# In a file; a program that wants more reads `GET /api/v1/audit` page by page.
EXPORTED = 10_000


@login_required
@never_cache
@require_safe
def log_page(request: HttpRequest, slug: str = "") -> HttpResponse:
    """What happened, newest first; `?about=` narrows it down to one kind of thing."""
    frame = frame_of(managed(request, slug)) if slug else {}
    about = request.GET.get("about", "")
    about = about if about in NOUNS else ""
    rows = event_list(viewer=user_of(request), query=EventQuery(namespace=slug, action=about))
    page = paginate_events(request, rows, SHOWN)
    context = {
        **frame,
        "page": page,
        "lines": [line_of(row) for row in page.items],
        "nouns": NOUNS,
        "about": about,
        "namespace": slug or user_of(request).username,
        "exported": EXPORTED,
    }
    return render(request, "organisations/log.html" if slug else "accounts/log.html", context)


@login_required
@never_cache
@require_safe
def log_file(request: HttpRequest, slug: str = "") -> HttpResponseBase:
    """The same as JSON Lines, each as `GET /api/v1/audit` has it."""
    rows = event_list(viewer=user_of(request), query=EventQuery(namespace=slug))[:EXPORTED]
    answer = StreamingHttpResponse(_lines(rows.iterator(chunk_size=500)), content_type="application/x-ndjson")
    name = slug or user_of(request).username
    answer["Content-Disposition"] = f'attachment; filename="{name}-log.jsonl"'
    return answer


def _lines(rows: Iterator[AuditEvent]) -> Iterator[str]:
    for row in rows:
        named = {
            "id": row.pk,
            "at": row.at.astimezone(UTC).isoformat(),
            "action": row.action,
            "actor": row.actor,
            "namespace": row.namespace,
            "subject": row.subject,
            "data": row.data,
        }
        yield json.dumps(named, ensure_ascii=False) + "\n"
