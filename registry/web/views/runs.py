"""Runs: the list, and one run with its live progress."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from registry.catalog.states import RELEASED, VersionState
from registry.core.errors import ConflictError
from registry.runs.models import Run
from registry.runs.selectors import event_list, run_get, run_list
from registry.runs.services import run_cancel
from registry.runs.states import TERMINAL, ErrorClass
from registry.web.http import as_text, user_of
from registry.web.paging import paginate
from registry.web.views.vectors import version_url

# htmx stops polling when an answer has this status.
STOP_POLLING = 286
EVENTS_SHOWN = 200
STATE_WORDS = {
    "queued": "Waiting for a worker",
    "running": "Working",
    "succeeded": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "timed_out": "Ran out of time",
}
ADVICE = {
    "user": "Mend the dataset or the request, then start again from the dataset’s page.",
    "platform": "This was our fault, and trying again did not help. Start once more; the data is safe.",
    "poison": "The run took its worker down every time. Try fewer or shorter pairs, or tell the operator.",
    "timed_out": "Try the smoke tier, or fewer pairs.",
    "cancelled": "Nothing was kept. Start again from the dataset’s page whenever you like.",
}


@login_required
@require_safe
def run_index(request: HttpRequest) -> HttpResponse:
    """The user's runs, newest first."""
    page = paginate(request, run_list(viewer=user_of(request)))
    return render(request, "runs/list.html", {"page": page, "state_words": STATE_WORDS})


@login_required
@never_cache
@require_safe
def run_page(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """One run; while it lasts the page asks for its progress every second."""
    run = run_get(viewer=user_of(request), run_id=as_text(run_id))
    return render(request, "runs/detail.html", _context(run))


@login_required
@never_cache
@require_safe
def run_progress(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """The part of the run page that changes: 204 when nothing did, 286 when nothing will any more."""
    run = run_get(viewer=user_of(request), run_id=as_text(run_id))
    if not request.headers.get("HX-Request"):
        return redirect("web:run", as_text(run.pk))
    context = _context(run)
    if request.GET.get("seen") == context["mark"]:
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


def result_url(run: Run) -> str:
    """The page of what the run made; empty when it made nothing."""
    version = run.vector_version
    if version is None:
        mix, place = run.target, (run.subject.owner.slug, run.subject.name)
        if mix.version:
            return reverse("web:preset_version", args=(*place, mix.version))
        return reverse("web:preset_draft", args=(*place, mix.pk))
    return version_url(version) if version.state in (*RELEASED, VersionState.EXTRACTED) else ""


def _context(run: Run) -> dict[str, Any]:
    events = list(event_list(run=run, limit=EVENTS_SHOWN))
    is_over = run.state in TERMINAL
    stage = run.stage.replace("_", " ")
    return {
        "run": run,
        "events": events,
        # The text of a platform error is for the log of the service, not for its users.
        "hidden_message": run.error_message[:500] if run.error_class == ErrorClass.PLATFORM else None,
        "is_over": is_over,
        "state_word": STATE_WORDS[run.state],
        "status_line": STATE_WORDS[run.state] + (f": {stage}" if stage and run.state == "running" else ""),
        "percent": round(100 * run.progress),
        "advice": ADVICE.get(run.error_class, ""),
        "result_url": result_url(run) if run.state == "succeeded" else "",
        # What the browser says it has seen, so that an unchanged page is not replaced under the reader.
        "mark": f"{run.state}-{run.progress:.4f}-{len(events)}-{int(run.cancel_requested)}",
    }
