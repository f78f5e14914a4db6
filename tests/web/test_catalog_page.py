"""The catalog: search, filters, cards, pages, and what it costs."""

from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import User
from registry.catalog.lifecycle import version_yank
from registry.catalog.vectors import vector_update
from registry.web.views import catalog as catalog_view
from tests.factories import make_vector_version
from tests.web.pages import words

pytestmark = pytest.mark.django_db


def test_catalog_without_vectors_says_so_and_greets(client: Client) -> None:
    page = words(client.get("/").content)
    assert "Turn a trait up or down" in page
    assert "Nothing is published yet" in page


def test_catalog_card_shows_poles_verdict_window_and_reference(client: Client, acme: User) -> None:
    make_vector_version(owner=acme)
    response = client.get("/")
    page = words(response.content)
    for text in (
        "Formality",
        "casual",
        "formal",
        "pass",
        "grade B",
        "−0.30 to +0.45",
        "acme/formality@1.0.0",
    ):
        assert text in page
    assert b'class="spark moves"' in response.content


def test_catalog_search_finds_by_word_and_says_when_nothing_fits(client: Client, acme: User) -> None:
    make_vector_version(owner=acme)
    assert "acme/formality@1.0.0" in words(client.get("/?q=formal").content)
    assert "No vector matches “zebra”" in words(client.get("/?q=zebra").content)


def test_catalog_filter_by_verdict_and_model_keeps_the_others(client: Client, acme: User) -> None:
    make_vector_version(owner=acme, verdict="fail")
    page = client.get("/?verdict=fail&base_model=bearing/demo&q=form").content.decode()
    assert "acme/formality@1.0.0" in words(page)
    assert 'href="?verdict=fail&amp;q=form"' in page
    assert "acme/formality" not in words(client.get("/?verdict=pass").content)


def test_catalog_filter_by_grade(client: Client, acme: User) -> None:
    make_vector_version(owner=acme, verdict="insufficient")
    assert "acme/formality@1.0.0" in words(client.get("/?grade=C").content)
    assert "acme/formality" not in words(client.get("/?grade=B").content)


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%27%22%3C", "verdict=nonsense", "grade=zz", "owner=../x", "q=" + "a" * 5000]
)
def test_catalog_hostile_query_is_an_ordinary_page(client: Client, query: str) -> None:
    assert client.get(f"/?{query}").status_code == 200


def test_catalog_damaged_cursor_is_refused_with_a_page(client: Client) -> None:
    response = client.get("/?cursor=zzzz")
    assert response.status_code == 422
    assert "This page link is damaged" in words(response.content)


def test_catalog_pages_show_each_vector_once(
    client: Client, acme: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {f"vector-{i}" for i in range(5)}
    for seed, name in enumerate(sorted(names)):
        make_vector_version(owner=acme, name=name, seed=seed)
    monkeypatch.setattr(catalog_view, "PAGE_SIZE", 2)
    seen, query = [], ""
    for _ in range(3):
        page = client.get(f"/{query}").context["page"]
        seen += [row.name for row in page.items]
        query = page.next_query
    assert query == ""
    assert sorted(seen) == sorted(names)


def test_catalog_hides_private_and_yanked_vectors_from_others(client: Client, acme: User) -> None:
    make_vector_version(owner=acme, name="secret", visibility="private")
    make_vector_version(owner=acme, name="gone", seed=1)
    version_yank(actor=acme, name="gone", version="1.0.0", reason="wrong pairs")
    page = words(client.get("/").content)
    assert "acme/secret" not in page
    assert "acme/gone" not in page


def test_own_vectors_include_drafts_and_need_a_sign_in(signed_in: Client, client: Client, acme: User) -> None:
    make_vector_version(owner=acme, name="raw", state="extracted")
    assert "acme/raw" in words(signed_in.get("/?mine=1").content)
    assert client.get("/?mine=1")["Location"].startswith("/accounts/login/")


def test_catalog_costs_the_same_queries_for_one_card_or_four(
    client: Client, acme: User, django_assert_num_queries: Any
) -> None:
    make_vector_version(owner=acme)
    with django_assert_num_queries(3):
        client.get("/")
    for seed in range(1, 4):
        make_vector_version(owner=acme, name=f"v{seed}", seed=seed)
    with django_assert_num_queries(3):
        client.get("/")


def test_catalog_escapes_what_people_write(client: Client, acme: User) -> None:
    make_vector_version(owner=acme)
    vector_update(actor=acme, name="formality", title="<b>x</b>", description="<script>1</script>")
    page = client.get("/").content.decode()
    assert "<b>x</b>" not in page
    assert "<script>1" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
