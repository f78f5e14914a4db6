"""The blind test of a version: one comparison at a time, then what all answers show."""

import uuid

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from registry.catalog.models import VectorVersion
from registry.catalog.selectors import version_get, version_get_by_id
from registry.core.errors import ConflictError, InvalidError, NotFoundError
from registry.trust.selectors import blind_conclusion, blind_question
from registry.trust.services import blind_answer
from registry.web.http import as_text, user_of
from registry.web.numbers import percent, plain


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def version_blind(request: HttpRequest, owner: str, name: str, reference: str) -> HttpResponse:
    """The blind test of a published version."""
    version = version_get(viewer=request.user, owner=owner, name=name, reference=reference)
    return _blind(request, version, reverse("web:vector_version", args=(owner, name, reference)))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def draft_blind(request: HttpRequest, owner: str, name: str, draft_id: uuid.UUID) -> HttpResponse:
    """The blind test of a draft, for its owner."""
    version = version_get_by_id(viewer=request.user, version_id=as_text(draft_id))
    if (version.vector.owner.slug, version.vector.name) != (owner, name):
        raise NotFoundError("there is no such version", code="version.not_found")
    return _blind(request, version, reverse("web:draft", args=(owner, name, draft_id)))


def _blind(request: HttpRequest, version: VectorVersion, back: str) -> HttpResponse:
    user = user_of(request)
    if request.method == "POST":
        _take(request, version)
        return redirect(request.path)
    question = blind_question(rater=user, version=version)
    found = blind_conclusion(version=version) if question is None else None
    context = {"version": version, "question": question, "found": found, "back": back}
    if found:
        low, high = found.metric.interval or (None, None)
        context |= {
            "won": percent(found.metric.value),
            "bounds": f"{percent(low)} to {percent(high)}" if low is not None else "",
            "false_alarms": percent(found.false_alarms),
            "random_wins": percent(found.random_wins),
            "agreement": plain(found.agreement),
        }
    response = render(request, "blind/question.html", context)
    response["Cache-Control"] = "private, no-store"
    return response


def _take(request: HttpRequest, version: VectorVersion) -> None:
    """Record an answer; one that came twice, by a reload or a second window, is no error to a rater."""
    number = request.POST.get("number", "")
    if not number.isascii() or not number.isdigit() or len(number) > 4:
        raise InvalidError("say which comparison the answer is to", code="blind.unknown_number")
    try:
        blind_answer(
            rater=user_of(request),
            version=version,
            number=int(number),
            answer=request.POST.get("answer", ""),
        )
    except ConflictError:
        return
