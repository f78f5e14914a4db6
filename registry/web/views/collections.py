"""`/collections/`: the shelves of the catalog, and one of them."""

from collections import Counter
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.catalog.states import Domain
from registry.core.errors import NotFoundError
from registry.discovery.facets import facet_counts
from registry.discovery.search import Wanted
from registry.presets.selectors import preset_counts, preset_search
from registry.web.shelves import SHELVES
from registry.web.views.catalog import Place, catalog_page


@dataclass(frozen=True, slots=True)
class Shelf:
    """A collection and how much stands in it; `more` is a plus where the number of vectors is a least one."""

    name: str
    label: str
    text: str
    vectors: int
    more: str
    presets: int


@require_safe
def collection_index(request: HttpRequest) -> HttpResponse:
    """All collections, the empty ones last."""
    counts = facet_counts(viewer=request.user, wanted=Wanted())
    vectors, more = Counter(dict(counts.values["domain"])), "+" if counts.is_approximate else ""
    presets = Counter(dict(preset_counts(preset_search(viewer=request.user), "domain")))
    shelves = [
        Shelf(name, Domain(name).label, text, vectors[name], more if vectors[name] else "", presets[name])
        for name, text in SHELVES.items()
    ]
    shelves.sort(key=lambda shelf: not (shelf.vectors or shelf.presets))
    return render(request, "catalog/collections.html", {"shelves": shelves})


@require_safe
def collection_page(request: HttpRequest, domain: str) -> HttpResponse:
    """What stands on one shelf."""
    if domain not in SHELVES:
        known = ", ".join(SHELVES)
        raise NotFoundError(
            f"there is no collection {domain!r}; there are {known}", code="collection.not_found"
        )
    return catalog_page(request, Place(Domain(domain).label, domain=domain, text=SHELVES[domain]))
