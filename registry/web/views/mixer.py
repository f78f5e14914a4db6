"""The mixer: vectors on sliders beside what they do to a text. Its state is its address, see `desk`.

With a script the page asks `play` at every stop of a slider and shows the stream; without one the form is
posted here, and the answer waits for the texts.
"""

import secrets
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from rest_framework.throttling import BaseThrottle

from registry.catalog.selectors import base_model_get
from registry.core.errors import RegistryError
from registry.playground.events import watch
from registry.playground.limits import Caller, caller_of
from registry.playground.services import play_cancel, play_get, play_start, snapshot_of
from registry.playground.streams import play_stream
from registry.playground.wishes import MAX_PROMPT, MAX_SEED, MAX_TOKENS
from registry.presets.drafts import PresetWish, preset_create
from registry.presets.states import MixMode
from registry.web.desk import from_form, from_query
from registry.web.http import as_text, user_of
from registry.web.mixer import (
    Settled,
    code_of,
    found_vectors,
    member_wishes,
    mixer_view,
    settled,
    timing_words,
)
from registry.web.numbers import minus
from registry.web.views.catalog import clean_text

VISITOR = "mixer"
# How long a page without a script waits for its texts.
WAIT_SECONDS = 30.0


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def mixer(request: HttpRequest) -> HttpResponse:
    """The page. A post changes the state and goes to its address, or waits for the texts."""
    if request.method != "POST":
        return _page(request, settled(request.user, from_query(request.GET)))
    desk = from_form(request.POST)
    if reference := _said(request, "add"):
        desk = desk.added(reference)
    elif reference := _said(request, "remove"):
        desk = desk.removed(reference)
    elif starter := _said(request, "starter"):
        desk = replace(desk, prompt=starter)
    elif "compare" in request.POST:
        desk = desk.compared()
    elif "reroll" in request.POST:
        desk = replace(desk, seed=secrets.randbelow(10_000))
    elif "play" in request.POST:
        return _played(request, settled(request.user, desk))
    found = _said(request, "find")
    words = f"&find={quote(found)}" if found else ""
    return redirect(f"{reverse('web:mixer')}?{desk.query}{words}")


@never_cache
@require_POST
def play(request: HttpRequest) -> HttpResponse:
    """Have the texts of the form's state written; the answer says where they come."""
    desk = from_form(request.POST)
    try:
        started = play_start(viewer=request.user, caller=_caller(request), wish=desk.wish)
    except RegistryError as error:
        if error.http_status == 500:
            raise
        return JsonResponse(
            {"code": error.code, "detail": minus(error.message), "query": desk.query},
            status=error.http_status,
        )
    said = {
        "id": started.id,
        "stream": reverse("web:mixer_stream", args=(started.id,)),
        "cancel": reverse("web:mixer_cancel", args=(started.id,)),
        "position": started.position,
        "query": desk.query,
        "code": code_of(desk),
        "cautions": [{"message": minus(c.message), "mix": c.mix} for c in started.cautions],
    }
    return _with_visitor(request, JsonResponse(said, status=202))


@never_cache
@require_safe
def play_events(request: HttpRequest, job_id: str) -> HttpResponseBase:
    """The texts of a request as they come."""
    job = play_get(caller=_caller(request), job_id=job_id)
    return play_stream(job, after=request.headers.get("Last-Event-ID", ""))


@require_POST
def play_stop(request: HttpRequest, job_id: str) -> HttpResponse:
    """Stop a request."""
    play_cancel(caller=_caller(request), job_id=job_id)
    return HttpResponse(status=204)


@require_safe
def mixer_find(request: HttpRequest) -> HttpResponse:
    """The vectors to add, as a part of the page."""
    model = base_model_get(reference=clean_text(request, "model"))
    words = clean_text(request, "find")
    found = found_vectors(request.user, model, words, request.GET.getlist("ref"))
    context = {"found": found, "words": words, "model": model}
    return render(request, "mixer/_found.html", context)


@login_required
@require_POST
def mixer_save(request: HttpRequest) -> HttpResponse:
    """Make the first mix a draft of a preset, and go there to measure and publish it."""
    desk = from_form(request.POST)
    user = user_of(request)
    try:
        wish = PresetWish(
            name=request.POST.get("name", "").strip()[:129],
            members=member_wishes(user, desk),
            mode=desk.mode,
            title=request.POST.get("title", "").strip()[:120],
        )
        row = preset_create(actor=user, wish=wish)
    except RegistryError as error:
        if error.http_status not in (403, 404, 409, 422):
            raise
        return _page(request, settled(user, desk), refusal=minus(error.message), status=422)
    messages.success(request, f"{row.preset} is put together. Measure it, then publish.")
    return redirect("web:preset_draft", row.preset.owner.slug, row.preset.name, as_text(row.pk))


def _played(request: HttpRequest, state: Settled) -> HttpResponse:
    """The page with its texts, for browsers without a script."""
    caller = _caller(request)
    try:
        started = play_start(viewer=request.user, caller=caller, wish=state.desk.wish)
        job = play_get(caller=caller, job_id=started.id)
        snapshot = snapshot_of(job.id, [event for event in watch(job, seconds=WAIT_SECONDS) if event])
    except RegistryError as error:
        if error.http_status == 500:
            raise
        return _page(request, state, failure=minus(error.message), status=error.http_status)
    is_done = snapshot.state == "done"
    page = _page(
        request,
        state,
        texts=snapshot.texts,
        timing=timing_words(snapshot.outcome) if is_done else "",
        failure="" if is_done else str(snapshot.outcome.get("detail", "It takes long. Try again.")),
    )
    return _with_visitor(request, page)


def _page(request: HttpRequest, state: Settled, *, status: int = 200, **more: Any) -> HttpResponse:
    desk, view = state.desk, mixer_view(request.user, state)
    words = clean_text(request, "find")
    on = [fader.reference for fader in desk.faders]
    context = {
        "view": view,
        "desk": desk,
        "found": found_vectors(request.user, view.model, words, on) if view.model else [],
        "words": words,
        "modes": [(value, *words.split(": ", 1)) for value, words in MixMode.choices],
        "most_tokens": MAX_TOKENS[request.user.is_authenticated],
        "most_seed": MAX_SEED,
        "share": request.build_absolute_uri(f"{reverse('web:mixer')}?{desk.query}"),
        **more,
    }
    return render(request, "mixer/mixer.html", context, status=status)


def _said(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\0", "")[:MAX_PROMPT]


def _caller(request: HttpRequest) -> Caller:
    address = BaseThrottle().get_ident(request)  # type: ignore[arg-type]  # it reads headers alone
    return caller_of(request.user, address=address, visitor=_visitor(request))


def _visitor(request: HttpRequest) -> str:
    """What tells this browser from others of its address; no session is made for it."""
    kept = request.get_signed_cookie(VISITOR, default="")
    if not kept:
        kept = request.META.setdefault("bearing.visitor", secrets.token_urlsafe(9))
    return str(kept)


def _with_visitor(request: HttpRequest, response: Any) -> Any:
    if not request.user.is_authenticated:
        response.set_signed_cookie(
            VISITOR,
            _visitor(request),
            max_age=86_400,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure(),
            path="/mixer",
        )
    return response
