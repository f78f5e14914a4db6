"""`/`: search the published vectors, or one's own."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.discovery.facets import facet_counts
from registry.discovery.search import vector_search
from registry.web.cards import vector_card
from registry.web.facets import ALWAYS, MORE, ages_of, clean_texts, facets_of, hidden_of, sorts_of, wanted_of
from registry.web.paging import PAGE_SIZE, paginate_found


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
    wanted = wanted_of(request.GET, is_mine=is_mine)
    page = paginate_found(request, vector_search(viewer=request.user, wanted=wanted), PAGE_SIZE)
    counts = facet_counts(viewer=request.user, wanted=wanted)
    is_filtered = bool(wanted.text or wanted.owner or wanted.facets or wanted.since)
    more = [ages_of(request, wanted), *facets_of(request, wanted, counts, MORE)]
    context = {
        "asked": wanted,
        "hidden": hidden_of(request.GET),
        "is_mine": is_mine,
        "is_filtered": is_filtered,
        "page": page,
        "cards": [vector_card(row) for row in page.items],
        "counts": counts,
        "facets": facets_of(request, wanted, counts, ALWAYS),
        "more": more,
        "more_is_on": any(choice.is_on for facet in more for choice in facet.choices),
        "sorts": sorts_of(request, wanted),
        "shows_hero": not (request.user.is_authenticated or is_filtered or "cursor" in request.GET),
    }
    return render(request, "vectors/catalog.html", context)


def clean_text(request: HttpRequest, name: str) -> str:
    """A search word from the query string, without characters that the database has no place for."""
    return next(iter(clean_texts(request.GET, name)), "")
