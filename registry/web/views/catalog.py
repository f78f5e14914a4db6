"""`/`: search the published vectors and presets, or one's own. A collection is the same page, narrowed down.

A search as one types asks for the results alone (htmx) and gets the same address into the address bar, so
that reloading, sharing and going back work as without a script.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from registry.catalog.models import Vector
from registry.catalog.selectors import base_model_list
from registry.catalog.states import Domain
from registry.discovery.entries import WORKS_ON
from registry.discovery.facets import FacetCounts, facet_counts
from registry.discovery.search import Wanted, example_find, vector_search
from registry.presets.selectors import preset_search
from registry.web.cards import Example, example_of, preset_card, vector_card
from registry.web.facets import (
    ALWAYS,
    MORE,
    ages_of,
    chips_of,
    clean_texts,
    facets_of,
    hidden_of,
    sorts_of,
    tidy_query,
    wanted_of,
)
from registry.web.paging import paginate_found
from registry.web.shelves import SHELVES
from registry.web.suggestions import suggestions_for

# Whole rows of one, two or three.
CARDS_SHOWN = 18
PRESETS_SHOWN = 3
MODELS_OFFERED = 50
# Presets are found by these alone; a search by anything else is one for vectors.
OF_PRESETS = {"domain", "base_model"}


@dataclass(frozen=True, slots=True)
class Place:
    """Whose page it is: the whole catalog, one's own part of it, or a collection."""

    heading: str
    is_mine: bool = False
    domain: str = ""
    text: str = ""


@require_safe
def catalog(request: HttpRequest) -> HttpResponse:
    """The catalog; `?mine=1` is the signed-in user's part of it, drafts and all."""
    if request.GET.get("mine"):
        return _mine(request)
    return catalog_page(request, Place("Steering vectors"))


@login_required
def _mine(request: HttpRequest) -> HttpResponse:
    return catalog_page(request, Place("Your vectors", is_mine=True))


def catalog_page(request: HttpRequest, place: Place) -> HttpResponse:
    """The whole page, or its results alone where a script asks for these."""
    wanted = wanted_of(request.GET, is_mine=place.is_mine, domain=place.domain)
    context = _results(request, place, wanted)
    if not wants_results(request):
        context |= _frame(request, context)
    return found_answer(request, "catalog/index.html", "catalog/_answer.html", context)


def wants_results(request: HttpRequest) -> bool:
    """Whether a script asks for the results alone."""
    return bool(request.headers.get("HX-Request")) and request.headers.get("HX-Target") == "results"


def found_answer(request: HttpRequest, page: str, results: str, context: dict[str, Any]) -> HttpResponse:
    """A page of results, or these alone.

    Args:
        page, results: templates.
    """
    if wants_results(request):
        response = render(request, results, context)
        if request.headers.get("HX-Trigger") == "search":
            response[_history(request)] = request.path + tidy_query(request.GET)
    else:
        response = render(request, page, context)
    # One address, two answers: no cache may give the one for the other.
    patch_vary_headers(response, ["HX-Request"])
    return response


def clean_text(request: HttpRequest, name: str) -> str:
    """A search word from the query string, without characters that the database has no place for."""
    return next(iter(clean_texts(request.GET, name)), "")


def _results(request: HttpRequest, place: Place, wanted: Wanted) -> dict[str, Any]:
    found = vector_search(viewer=request.user, wanted=wanted, related=("downloads",))
    page = paginate_found(request, found, CARDS_SHOWN)
    counts = facet_counts(viewer=request.user, wanted=wanted)
    names = {name: label for name, label in ALWAYS.items() if name != "domain" or not place.domain}
    more = [ages_of(request, wanted), *facets_of(request, wanted, counts, MORE)]
    chips = chips_of(request, wanted, _known(wanted), fixed="domain" if place.domain else "")
    has_words_or_filters = bool(chips)
    is_empty = not page.items and (has_words_or_filters or bool(place.domain)) and not place.is_mine
    return {
        "place": place,
        "asked": wanted,
        "hidden": hidden_of(request.GET),
        "is_filtered": has_words_or_filters,
        "chips": chips,
        "clear_query": request.path + ("?mine=1" if place.is_mine else ""),
        "page": page,
        "is_near": found.is_near,
        "cards": [vector_card(row) for row in page.items],
        "counts": counts,
        "facets": facets_of(request, wanted, counts, names),
        "more": more,
        "more_is_on": any(facet.is_on for facet in more),
        "sorts": sorts_of(request, wanted),
        "suggestions": suggestions_for(request.user, wanted) if is_empty else None,
        **_presets(request, place, wanted),
    }


def _presets(request: HttpRequest, place: Place, wanted: Wanted) -> dict[str, Any]:
    """The newest presets that the same search finds, where it can be one for presets."""
    chosen = {name: values for name, values in wanted.facets.items() if values}
    is_one_each = all(len(values) == 1 for values in chosen.values())
    if (
        place.is_mine
        or wanted.since
        or not is_one_each
        or set(chosen) - OF_PRESETS
        or request.GET.get("cursor")
    ):
        return {}
    asked: dict[str, Any] = {name: values[0] for name, values in chosen.items()}
    rows = preset_search(viewer=request.user, query=wanted.text, owner=wanted.owner, **asked)
    shown = list(rows.order_by("-created_at", "id")[: PRESETS_SHOWN + 1])
    query = QueryDict(mutable=True)
    query.update(
        {name: value for name, value in {"q": wanted.text, "owner": wanted.owner, **asked}.items() if value}
    )
    return {
        "presets": [preset_card(row) for row in shown[:PRESETS_SHOWN]],
        "has_more_presets": len(shown) > PRESETS_SHOWN,
        "presets_query": f"?{query.urlencode()}" if query else "",
    }


def _frame(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What stands around the results: the greeting and the collections on the first page of all, models."""
    place, is_narrowed = context["place"], context["is_filtered"] or request.GET.get("cursor")
    is_home = not (place.is_mine or place.domain or is_narrowed)
    shows_hero = is_home and not request.user.is_authenticated
    if not is_home:
        return {"is_home": False}
    return {
        "is_home": True,
        "shows_hero": shows_hero,
        "example": _example(context["page"].items) if shows_hero else None,
        "shelves": shelves_of(context["counts"]),
        "models": sorted(set(base_model_list().values_list("name", flat=True)[:MODELS_OFFERED])),
    }


def shelves_of(counts: FacetCounts) -> list[tuple[str, str, str]]:
    """(domain, label, count) of the collections with something in them, in their order."""
    counted, more = dict(counts.values["domain"]), "+" if counts.is_approximate else ""
    return [(name, Domain(name).label, f"{counted[name]}{more}") for name in SHELVES if counted.get(name)]


def _example(known: list[Vector]) -> Example | None:
    found = example_find(known)
    return example_of(*found) if found else None


def _known(wanted: Wanted) -> dict[str, str]:
    """Names of the base models that the search names by their hash."""
    hashes = [*wanted.facets.get(WORKS_ON, ()), *wanted.facets.get("base_model", ())]
    asked = [text for text in hashes if text.startswith("sha256:")]
    return (
        dict(base_model_list().filter(model_hash__in=asked).values_list("model_hash", "name"))
        if asked
        else {}
    )


def _history(request: HttpRequest) -> str:
    """Words that go on from other words take their place in the history; all else is a step of its own."""
    before = QueryDict(request.headers.get("HX-Current-URL", "").partition("?")[2])
    return "HX-Replace-Url" if before.get("q") else "HX-Push-Url"
