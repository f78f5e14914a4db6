"""`/`: search the published vectors, or one's own."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.catalog.selectors import base_model_list
from registry.catalog.states import Grade, Verdict
from registry.discovery.search import Wanted, vector_search
from registry.web.cards import vector_card
from registry.web.paging import PAGE_SIZE, paginate_found

VERDICT_WORDS = {"pass": "Passes", "warn": "Warns", "insufficient": "Too little data", "fail": "Fails"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter as a link that turns it on, or off when it is on."""

    label: str
    query: str
    is_on: bool


@require_safe
def catalog(request: HttpRequest) -> HttpResponse:
    """The catalog; `?mine=1` is the signed-in user's part of it, drafts and all."""
    if request.GET.get("mine"):
        return _mine(request)
    return _catalog(request, is_mine=False)


@login_required
def _mine(request: HttpRequest) -> HttpResponse:
    return _catalog(request, is_mine=True)


def _catalog(request: HttpRequest, *, is_mine: bool) -> HttpResponse:
    asked = {name: clean_text(request, name) for name in ("q", "owner", "base_model", "verdict", "grade")}
    facets = {name: (asked[name],) for name in ("base_model", "verdict", "grade") if asked[name]}
    wanted = Wanted(asked["q"], asked["owner"], facets, mine=is_mine)
    rows = vector_search(viewer=request.user, wanted=wanted)
    page = paginate_found(request, rows, PAGE_SIZE)
    models = dict.fromkeys(row.name for row in base_model_list())
    context = {
        "asked": asked,
        "is_mine": is_mine,
        "is_filtered": any(asked.values()),
        "page": page,
        "cards": [vector_card(row) for row in page.items],
        "model_choices": [_choice(request, "base_model", name, name) for name in models],
        "verdict_choices": [_choice(request, "verdict", v, VERDICT_WORDS[v]) for v in Verdict.values],
        "grade_choices": [_choice(request, "grade", grade, grade) for grade in Grade.values],
        "shows_hero": not (request.user.is_authenticated or any(asked.values()) or "cursor" in request.GET),
    }
    return render(request, "vectors/catalog.html", context)


def clean_text(request: HttpRequest, name: str) -> str:
    """A search word from the query string, without characters that the database has no place for."""
    return request.GET.get(name, "").replace("\0", "").strip()[:200]


def _choice(request: HttpRequest, name: str, value: str, label: str) -> Choice:
    query = request.GET.copy()
    is_on = query.get(name) == value
    query.pop("cursor", None)
    query.pop(name, None)
    if not is_on:
        query[name] = value
    return Choice(label, "?" + query.urlencode(), is_on)
