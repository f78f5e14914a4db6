"""Runs: the list, and one run with its live progress; cancel one, start one again."""

import uuid
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from registry.accounts.selectors import membership_list
from registry.core.errors import ConflictError, RegistryError
from registry.runs.models import Run
from registry.runs.retrying import run_retry
from registry.runs.selectors import STATE_GROUPS, run_get, run_list
from registry.runs.services import run_cancel
from registry.runs.states import ACTIVE
from registry.web.errors import sentence
from registry.web.facets import clean_texts, one_of
from registry.web.http import as_text, user_of
from registry.web.paging import paginate
from registry.web.run_pages import KIND_WORDS, run_context, worked_for

# htmx stops polling when an answer has this status.
STOP_POLLING = 286
STATE_LABELS = {
    "": "All",
    "active": "Waiting or working",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in the list."""

    run: Run
    kind: str
    took: str
    is_own: bool


@login_required
@never_cache
@require_safe
def run_index(request: HttpRequest) -> HttpResponse:
    """The runs that the user may see, newest first, by state, kind and owner."""
    user = user_of(request)
    state, kind, owner = (next(iter(clean_texts(request.GET, key)), "") for key in ("state", "kind", "owner"))
    state, kind = state if state in STATE_GROUPS else "", kind if kind in KIND_WORDS else ""
    page = paginate(request, run_list(viewer=user, state=state, kind=kind, owner=owner))
    rows = [RunRow(run, KIND_WORDS[run.kind], worked_for(run), run.owner_id == user.pk) for run in page.items]
    owners = [row.namespace.slug for row in membership_list(user=user)]
    kinds = {"": "Every kind", **{k: w.capitalize() for k, w in KIND_WORDS.items()}}
    filters = [
        ("State", one_of(request.GET, "state", STATE_LABELS, state)),
        ("Kind", one_of(request.GET, "kind", kinds, kind)),
    ]
    if len(owners) > 1:
        labels = {"": "All owners", **{slug: slug for slug in owners}}
        filters.append(("Owner", one_of(request.GET, "owner", labels, owner)))
    context = {
        "page": page,
        "rows": rows,
        "is_live": any(row.run.state in ACTIVE for row in rows),
        "is_filtered": bool(state or kind or owner),
        "filters": filters,
    }
    return render(request, "runs/list.html", context)


@login_required
@never_cache
@require_safe
def run_page(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """One run; while it lasts the page asks for what changed every second."""
    run = run_get(viewer=user_of(request), run_id=as_text(run_id))
    return render(request, "runs/detail.html", run_context(run))


@login_required
@never_cache
@require_safe
def run_progress(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """The parts of the run page that change: 204 when nothing did, 286 when nothing will any more."""
    run = run_get(viewer=user_of(request), run_id=as_text(run_id))
    if not request.headers.get("HX-Request"):
        return redirect("web:run", as_text(run.pk))
    after = request.GET.get("after", "")
    shown = int(after[:18]) if after.isascii() and after.isdigit() else 0
    context = run_context(run, after=shown, seen=request.GET.get("seen", ""))
    if not context:
        return HttpResponse(status=204)
    context["is_stage_new"] = request.GET.get("stage_seen") != context["status_line"]
    status = STOP_POLLING if context["is_over"] else 200
    return render(request, "runs/_progress.html", context, status=status)


@login_required
@require_POST
def run_stop(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """Cancel a run; one that has ended meanwhile is shown as it ended."""
    try:
        run_cancel(actor=user_of(request), run_id=as_text(run_id))
    except ConflictError:
        messages.info(request, "The run had ended before it could be cancelled.")
    return redirect("web:run", as_text(run_id))


@login_required
@require_POST
def run_again(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """Start a run that asks for the same and go to it; a refusal is shown on the old one's page."""
    try:
        run, is_new = run_retry(actor=user_of(request), run_id=as_text(run_id))
    except RegistryError as error:
        if error.http_status not in (403, 409, 422, 429):
            raise
        messages.error(request, sentence(error.message))
        return redirect("web:run", as_text(run_id))
    if not is_new:
        messages.info(request, "It was started again before; this is that run.")
    return redirect("web:run", as_text(run.pk))
