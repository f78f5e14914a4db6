"""The pages of `/docs/`: which there are, in which order, and docs/*.md as HTML with the links of the site.

A new page is a line in `GROUPS` and a file in docs/. Texts are read and rendered at first use and then kept:
they change with the release and not while it runs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from registry.core.markdown import Heading, Page, render_trusted

FOLDER: Path = settings.BASE_DIR / "docs"
DRAWING = re.compile(r'<p><img src="(images/[a-z-]+\.svg)" alt="([^"]*)" ?/></p>')
# A text that is a page under another address, or that the service serves by itself.
ELSEWHERE = {"openapi.json": "/api/v1/openapi.json"}


@dataclass(frozen=True, slots=True)
class Doc:
    """A page: its address below /docs/, its name in the navigation and what it is about."""

    slug: str
    title: str
    summary: str
    file: str

    @property
    def url(self) -> str:
        return reverse("web:docs_page", args=[self.slug])


@dataclass(frozen=True, slots=True)
class Group:
    """Pages that a reader looks for together."""

    title: str
    docs: tuple[Doc, ...]


def _doc(slug: str, title: str, summary: str, file: str = "") -> Doc:
    return Doc(slug, title, summary, file or f"{slug}.md")


GROUPS = (
    Group(
        "Start",
        (
            _doc("quickstart", "Quick start", "From pairs of texts to a published vector, step by step."),
            _doc("concepts", "Concepts", "Vector, strength, multiplier, window: the ideas, with pictures."),
            _doc("datasets", "Datasets", "What makes good pairs, and every form of file that is read."),
            _doc("report", "Reading a report", "What the verdicts, curves and controls say."),
            _doc("mixer", "The mixer", "Several vectors with sliders, and what they do to each other."),
            _doc("faq", "Questions", "When to prompt instead, which layer, why a run failed."),
        ),
    ),
    Group(
        "Use",
        (
            _doc("client", "Client and command line", "Pull, verify, lock and apply from Python or a shell."),
            _doc("injection", "Steering a model", "Strengths, operations, positions, conditions, folding."),
            _doc("engines", "Engines", "llama.cpp, repeng, EasySteer and others: their forms and traps."),
            _doc("presets", "Presets", "Named mixes of pinned vectors."),
            _doc("rest", "The REST interface", "Tokens, uploads, runs, webhooks, errors.", "api.md"),
        ),
    ),
    Group(
        "Contracts",
        (
            _doc("format", "The vector file", "The native format, byte by byte."),
            _doc("evaluation", "What is measured", "Each metric's question, formula, interval and rule."),
            _doc("extraction", "Extraction", "Sites, poolings, methods and the one pass."),
            _doc("composition", "Several vectors at once", "How a mix is measured."),
            _doc("conformance", "Conformance", "How an engine is shown to apply a vector rightly."),
            _doc("model-updates", "Model updates", "What still works on a new revision."),
            _doc("safety", "The safety screen", "What blocks publication."),
            _doc("suites", "Suites", "The texts that a registry brings itself."),
        ),
    ),
    Group(
        "Run it",
        (
            _doc("operations", "Operations", "Settings, services, containers, backup."),
            _doc("architecture", "Architecture", "Parts, rules of dependency, the way of the data."),
            _doc("demo-model", "The demo model", "The small model that ships with the service."),
            _doc("adr", "Decisions", "Why things are as they are.", "adr/README.md"),
        ),
    ),
)
DOCS = {doc.slug: doc for group in GROUPS for doc in group.docs}
SLUGS = {doc.file: doc.slug for doc in DOCS.values()}


@cache
def page(slug: str) -> Page | None:
    """The page at an address, or None where there is none; `adr/0005-…` are pages as well."""
    doc = DOCS.get(slug)
    path = FOLDER / (doc.file if doc else f"{slug}.md")
    is_decision = re.fullmatch(r"adr/\d{4}-[a-z0-9-]+", slug) is not None
    if not (doc or is_decision) or not path.is_file():
        return None
    return render_file(path)


def render_file(path: Path) -> Page:
    """A file of docs/ with the site's links, its drawings in place."""
    folder = path.parent.relative_to(FOLDER)
    found = render_trusted(path.read_text(encoding="utf-8"), link=lambda address: _site_link(address, folder))
    html = DRAWING.sub(_drawing, str(found.html))
    return Page(mark_safe(html), found.headings)  # noqa: S308 - our own files, rendered by our own renderer


def contents(found: Page) -> list[Heading]:
    """The headings for the list beside a page: the sections, without the title."""
    return [heading for heading in found.headings if heading.level == 2]


def navigation(current: str) -> dict[str, Any]:
    """The groups with the current page, and the pages before and after it."""
    order = list(DOCS.values())
    here = next((place for place, doc in enumerate(order) if doc.slug == current), None)
    return {
        "groups": GROUPS,
        "current": current,
        "before": order[here - 1] if here else None,
        "after": order[here + 1] if here is not None and here + 1 < len(order) else None,
    }


def all_slugs() -> Iterator[str]:
    """Every page there is, decisions included."""
    yield from DOCS
    yield from (f"adr/{path.stem}" for path in sorted((FOLDER / "adr").glob("0*.md")))


def _site_link(address: str, folder: Path) -> str:
    """An address in a text as one of the site; empty where the site has no such page."""
    path, _, anchor = address.partition("#")
    if re.match(r"[a-z]+:|/", address) or not path:
        return address
    file = (folder / path).as_posix().replace("adr/../", "")
    if file in ELSEWHERE:
        return ELSEWHERE[file]
    if file.startswith("images/"):
        return file
    slug = SLUGS.get(file) or (file.removesuffix(".md") if re.fullmatch(r"adr/\d.*\.md", file) else "")
    if not slug:
        return ""
    return reverse("web:docs_page", args=[slug]) + (f"#{anchor}" if anchor else "")


def _drawing(match: re.Match[str]) -> str:
    """A drawing inside the page, so that it has the page's colours, also in the dark."""
    svg = (FOLDER / match[1]).read_text(encoding="utf-8")
    return format_html(
        '<figure class="drawing" role="img" aria-label="{}">{}</figure>',
        mark_safe(match[2]),  # noqa: S308 - the renderer escaped it
        mark_safe(svg[svg.index("<svg") :]),  # noqa: S308 - a file of ours
    )
