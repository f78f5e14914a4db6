"""`/docs/`: the documentation, and the REST interface's reference."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.web.docs import reference, site
from registry.web.docs.search import search

MAX_QUERY_CHARS = 200


@require_safe
def docs_index(request: HttpRequest) -> HttpResponse:
    """What there is to read, and what a search (`q`) finds in it."""
    query = request.GET.get("q", "")[:MAX_QUERY_CHARS].strip()
    return _page(request, "docs/index.html", "", {"query": query, "found": search(query)})


@require_safe
def docs_page(request: HttpRequest, slug: str) -> HttpResponse:
    """A text of docs/.

    Raises:
        Http404: there is none at this address.
    """
    found = site.page(slug)
    if found is None:
        raise Http404
    title = found.headings[0].text if found.headings else slug
    here = "adr" if slug.startswith("adr/") else slug
    context = {"title": title, "html": found.html, "contents": site.contents(found)}
    return _page(request, "docs/page.html", here, context)


@require_safe
def docs_api(request: HttpRequest) -> HttpResponse:
    """Every operation of the REST interface, by noun."""
    return _page(request, "docs/api.html", "api", {"tags": reference.tags().values()})


@require_safe
def docs_operations(request: HttpRequest, tag: str) -> HttpResponse:
    """The operations on one noun, in full.

    Raises:
        Http404: there is no such noun.
    """
    found = reference.tags().get(tag)
    if found is None:
        raise Http404
    return _page(request, "docs/operations.html", "api", {"tag": found, "tags": reference.tags().values()})


@require_safe
def docs_schemas(request: HttpRequest) -> HttpResponse:
    """The shapes of requests and answers."""
    return _page(request, "docs/schemas.html", "api", {"schemas": reference.schemas()})


def _page(request: HttpRequest, template: str, current: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template, {**site.navigation(current), **context})
