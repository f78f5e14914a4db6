"""What holds for every page: errors as pages, the policy against inline code, assets of our own."""

import re
from pathlib import Path

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.views.defaults import server_error

from registry.web.converters import ReferenceConverter
from tests.factories import make_user, make_vector_version
from tests.web.pages import words

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_has_no_inline_code_or_foreign_address(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert not re.search(r'<script(?![^>]*(?:\ssrc=|\stype="application/json"))', text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
    assert "|safe" not in text


def test_style_sheets_and_scripts_fetch_nothing_from_elsewhere() -> None:
    for path in [*(ROOT / "static/css").iterdir(), *(ROOT / "static/js").iterdir()]:
        assert "//" not in re.sub(r"^\s*//.*|/\*.*?\*/", "", path.read_text(), flags=re.M | re.S), path.name


@pytest.mark.django_db
def test_page_carries_the_strict_policy(client: Client) -> None:
    policy = client.get("/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.django_db
def test_unknown_address_is_a_page_with_404(client: Client) -> None:
    response = client.get("/this/is/no/page")
    assert response.status_code == 404
    assert "Nothing here" in words(response.content)


@pytest.mark.django_db
def test_form_without_its_token_is_refused_with_a_page() -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post("/accounts/login/", {"login": "a", "password": "b"})
    assert response.status_code == 403
    assert "This form has grown old" in words(response.content)


def test_server_error_page_needs_no_request_nor_database(rf: RequestFactory) -> None:
    response = server_error(rf.get("/"))
    assert response.status_code == 500
    assert "Something broke on our side" in words(response.content)


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/docs/api", "/datasets/", "/accounts/login/"])
def test_page_has_one_heading_a_skip_link_and_a_main_part(client: Client, page: str) -> None:
    html = client.get(page).content.decode()
    assert html.count("<h1") == 1
    assert 'href="#main"' in html
    assert '<main id="main"' in html


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/", "/datasets/", "/docs/api"])
def test_page_answers_head_and_refuses_post(client: Client, page: str) -> None:
    assert client.head(page).status_code == 200
    assert client.post(page).status_code == 405


@pytest.mark.parametrize("text", ["latest", "stable", "1.0.0", "sha256:" + "a" * 64])
def test_reference_in_an_address_is_latest_an_alias_a_version_or_a_digest(text: str) -> None:
    assert re.fullmatch(ReferenceConverter.regex, text)
    assert ReferenceConverter().to_url(text) == text


@pytest.mark.django_db
def test_crawlers_find_what_is_public_and_nothing_else(client: Client) -> None:
    acme = make_user("acme")
    make_vector_version(owner=acme)
    make_vector_version(owner=acme, name="hidden", visibility="private", seed=1)
    make_vector_version(owner=acme, name="unlisted", visibility="unlisted", seed=2)
    robots = client.get("/robots.txt").content.decode()
    assert "Disallow: /settings/" in robots
    assert "Sitemap: http://testserver/sitemap.xml" in robots
    assert "sitemap-vectors.xml" in client.get("/sitemap.xml").content.decode()
    vectors = client.get("/sitemap-vectors.xml").content.decode()
    assert "<loc>http://testserver/acme/formality</loc>" in vectors
    assert "hidden" not in vectors
    assert "unlisted" not in vectors
    assert "/docs/quickstart</loc>" in client.get("/sitemap-docs.xml").content.decode()
    assert client.get("/sitemap-none.xml").status_code == 404


def test_page_of_too_many_pages_needs_no_request_and_says_when() -> None:
    html = render_to_string("429.html", {"seconds": 12})
    assert "welcome in 12 s" in html
