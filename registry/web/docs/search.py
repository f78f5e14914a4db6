"""Search over the headings of the documentation and the operations of the interface."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from django.urls import reverse

from registry.web.docs import reference, site

MAX_FOUND = 40


@dataclass(frozen=True, slots=True)
class Found:
    """A place in the documentation."""

    title: str
    page: str
    url: str


def search(query: str) -> list[Found]:
    """The places whose heading, or page and heading, hold every word; titles of pages first."""
    words = query.lower().split()
    if not words:
        return []
    hits = [
        (place, found)
        for place, found in enumerate(_places())
        if all(word in f"{found.page} {found.title}".lower() for word in words)
    ]
    # A place whose own heading has the words comes before one whose page has them.
    hits.sort(key=lambda hit: (not all(word in hit[1].title.lower() for word in words), hit[0]))
    return [found for _, found in hits[:MAX_FOUND]]


@cache
def _places() -> tuple[Found, ...]:
    return (*_headings(), *_operations())


def _headings() -> Iterator[Found]:
    for slug, doc in site.DOCS.items():
        found = site.page(slug)
        for heading in found.headings if found else ():
            anchor = "" if heading.level == 1 else f"#{heading.anchor}"
            yield Found(heading.text, doc.title, doc.url + anchor)


def _operations() -> Iterator[Found]:
    for tag in reference.tags().values():
        url = reverse("web:docs_operations", args=[tag.name])
        for operation in tag.operations:
            yield Found(f"{operation.method} {operation.path}", "REST reference", f"{url}#{operation.id}")
