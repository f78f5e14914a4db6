"""The documentation: every page renders, every link in it and in templates leads somewhere, search finds."""

import re
from html import unescape
from pathlib import Path

import pytest
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from registry.core.markdown import Page
from registry.web.docs import reference, site
from registry.web.docs.search import search
from tests.web.pages import words

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r'<a href="([^"]+)"')


@pytest.fixture(scope="module")
def rendered() -> dict[str, Page]:
    """Every page of the documentation by its slug."""
    return {slug: found for slug in site.all_slugs() if (found := site.page(slug))}


def test_every_text_has_a_page_and_the_navigation_names_each_once(rendered: dict[str, Page]) -> None:
    files = [doc.file for doc in site.DOCS.values()]
    assert sorted(files) == sorted({path.name for path in site.FOLDER.glob("*.md")} | {"adr/README.md"})
    assert set(rendered) == set(site.all_slugs())
    for slug, found in rendered.items():
        anchors = [heading.anchor for heading in found.headings]
        assert found.headings[0].level == 1, slug
        assert len(anchors) == len(set(anchors)), slug


def test_no_link_of_the_documentation_is_dead(rendered: dict[str, Page]) -> None:
    anchors = {slug: {heading.anchor for heading in found.headings} for slug, found in rendered.items()}
    for slug, found in rendered.items():
        assert "<img" not in found.html, f"{slug} shows a picture that no page serves"
        for link in map(unescape, LINK.findall(found.html)):
            if re.match(r"(https?|mailto):", link):
                continue
            path, _, anchor = link.partition("#")
            assert leads_somewhere(path or f"/docs/{slug}"), f"{slug}: {link}"
            target = path.removeprefix("/docs/") if path else slug
            assert not anchor or anchor in anchors.get(target, {anchor}), f"{slug}: {link}"


def test_no_link_of_a_template_into_the_documentation_is_dead(rendered: dict[str, Page]) -> None:
    anchors = {slug: {heading.anchor for heading in found.headings} for slug, found in rendered.items()}
    sources = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "registry").rglob("*.py")]
    for source in sources:
        for slug, anchor in re.findall(r'["\'(]/docs/([a-z-]+)(?:#([a-z0-9-]+))?["\')]', source.read_text()):
            assert slug in anchors or slug == "api", f"{source}: /docs/{slug}"
            assert not anchor or anchor in anchors[slug], f"{source}: /docs/{slug}#{anchor}"


def test_promised_anchors_are_there(rendered: dict[str, Page]) -> None:
    report = {heading.anchor for heading in rendered["report"].headings}
    assert {"window", "strength", "verdict", "controls", "prompting", "side-effects", "safety"} <= report
    assert "prompt" in {heading.anchor for heading in rendered["faq"].headings}


def test_page_has_its_contents_its_neighbours_and_drawings_that_follow_the_scheme(client: Client) -> None:
    html = client.get("/docs/concepts").content.decode()
    assert '<a href="#the-window">The window</a>' in html
    assert 'href="/docs/quickstart" rel="prev"' in html
    assert 'href="/docs/datasets" rel="next"' in html
    assert '<figure class="drawing" role="img" aria-label="Casual and formal' in html
    assert client.get("/docs/adr/0005-native-file").status_code == 200
    for address in ("/docs/no-such-page", "/docs/../README", "/docs/adr/0999-none", "/docs/api/nothing"):
        assert client.get(address).status_code == 404


def test_reference_shows_every_operation_with_a_command(client: Client) -> None:
    operations = [operation for tag in reference.tags().values() for operation in tag.operations]
    overview = client.get("/docs/api").content.decode()
    assert all(f"#{operation.id}" in overview for operation in operations)
    page = client.get("/docs/api/runs").content.decode()
    assert 'id="runs_start"' in page
    assert "Idempotency-Key" in page
    assert "curl -X POST" in page
    assert f'href="{reverse("web:docs_schemas")}#Run"' in page
    assert 'id="Run"' in client.get("/docs/api/schemas").content.decode()


def test_search_finds_headings_and_operations(client: Client) -> None:
    assert search("window")[0].title.lower() == "the window"
    assert any(found.url.endswith("/docs/api/runs#runs_start") for found in search("post runs"))
    assert "No heading has these words" in words(client.get("/docs/", {"q": "xylophone"}).content)
    assert search(" ") == []


def leads_somewhere(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    # An address of ours that is not there yet is taken for an owner and a name.
    return path.startswith("/docs/") or resolve(path).url_name not in ("vector", "docs_page")
