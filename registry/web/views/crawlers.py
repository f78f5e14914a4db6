"""What search engines ask for: `robots.txt`, and a map of the pages that everybody may see."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.sitemaps import Sitemap
from django.contrib.sitemaps.views import index, sitemap
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from registry.accounts.access import listed_to
from registry.catalog.models import Vector
from registry.web.docs.site import DOCS, Doc

PAGES_IN_PART = 5000
# Nothing that a search result should lead to.
CLOSED = ("/accounts/", "/admin/", "/api/", "/settings/", "/notifications/", "/runs/", "/invitations/")


class VectorMap(Sitemap):
    """The page of every vector that is public and published."""

    limit = PAGES_IN_PART

    def items(self) -> QuerySet[Vector]:
        rows = Vector.objects.filter(listed_to(AnonymousUser()), latest__isnull=False)
        return rows.select_related("owner", "latest").order_by("pk")

    def location(self, item: Vector) -> str:
        return reverse("web:vector", args=[item.owner.slug, item.name])


class DocumentMap(Sitemap):
    """The documentation."""

    def items(self) -> list[Doc]:
        return list(DOCS.values())

    def location(self, item: Doc) -> str:
        return item.url


# In quotes: Django itself has no generic sitemaps, its stubs do.
PARTS: "dict[str, type[Sitemap[Any]] | Sitemap[Any]]" = {"vectors": VectorMap, "docs": DocumentMap}


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """What crawlers may read, and where the map is."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in CLOSED)]
    lines.append(f"Sitemap: {request.build_absolute_uri('/sitemap.xml')}")
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


@require_safe
def site_map(request: HttpRequest) -> HttpResponse:
    """The parts of the map."""
    return index(request, PARTS, sitemap_url_name="sitemap")


@require_safe
def site_map_part(request: HttpRequest, section: str) -> HttpResponse:
    """One part, a page (`p`) of it at a time.

    Raises:
        Http404: there is no such part or page.
    """
    return sitemap(request, PARTS, section)
