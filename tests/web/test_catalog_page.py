"""The catalog: search, filters, cards, pages, and what it costs."""

from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import User
from registry.catalog.lifecycle import version_yank
from registry.catalog.vectors import vector_update
from registry.web.views import catalog as catalog_view
from tests.factories import MODEL_HASH, make_base_model, make_vector_version
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
    monkeypatch.setattr(catalog_view, "CARDS_SHOWN", 2)
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
    with django_assert_num_queries(6):
        client.get("/")
    for seed in range(1, 4):
        make_vector_version(owner=acme, name=f"v{seed}", seed=seed)
    with django_assert_num_queries(6):
        client.get("/")


def test_catalog_escapes_what_people_write(client: Client, acme: User) -> None:
    make_vector_version(owner=acme)
    vector_update(actor=acme, name="formality", title="<b>x</b>", description="<script>1</script>")
    page = client.get("/").content.decode()
    assert "<b>x</b>" not in page
    assert "<script>1" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def asked(client: Client, path: str, now: str = "/") -> Any:
    """What a script asks for as one types."""
    headers = {"HX-Request": "true", "HX-Target": "results", "HX-Trigger": "search"}
    return client.get(path, headers={**headers, "HX-Current-URL": f"http://testserver{now}"})


def test_results_alone_come_to_a_script_with_their_place_in_the_history(
    client: Client, acme: User, django_assert_num_queries: Any
) -> None:
    make_vector_version(owner=acme)
    with django_assert_num_queries(4):
        response = asked(client, "/?q=formal&verdict=&cursor=")
    assert b"<html" not in response.content
    assert "acme/formality@1.0.0" in words(response.content)
    assert response["HX-Push-Url"] == "/?q=formal"
    assert response["Vary"].startswith("HX-Request")
    assert asked(client, "/?q=formali", now="/?q=formal")["HX-Replace-Url"] == "/?q=formali"
    compressed = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert compressed["Content-Encoding"] == "gzip"


def test_failed_vector_looks_failed_and_says_why(client: Client, acme: User) -> None:
    make_vector_version(owner=acme, verdict="fail")
    page = client.get("/").content.decode()
    assert 'class="card link vector-card is-fail"' in page
    assert "Existence: What decides existence." in words(page)
    assert 'class="spark flat"' in page


def test_collection_holds_what_was_put_there(client: Client, acme: User) -> None:
    make_vector_version(owner=acme)
    assert "this collection is empty" in words(client.get("/collections/tone").content)
    vector_update(actor=acme, name="formality", domain="tone")
    page = words(client.get("/collections/tone?verdict=pass").content)
    assert "How it sounds" in page
    assert "acme/formality@1.0.0" in page
    assert "Remove Verdict Passes" in page
    assert "Remove Collection" not in page
    assert "1 vector 0 presets" in words(client.get("/collections/").content)
    assert "Collection Tone" in words(client.get("/?domain=tone").content)
    assert client.get("/collections/tones").status_code == 404


def test_works_with_answers_for_each_case(client: Client, acme: User) -> None:
    make_vector_version(owner=acme)
    for model, hint in (
        ("bearing/demo", "Works as it is"),
        (MODEL_HASH, "Works as it is"),
        ("lab/other", "Could be carried over: same shape"),
        ("bearing/demos", "Did you mean bearing/demo"),
    ):
        if model == "lab/other":
            make_base_model("lab/other", "sha256:" + "cd" * 32)
        page = words(client.get("/works-with", {"model": model}).content)
        assert hint in page, model
        assert ("acme/formality@1.0.0" in page) == (model != "bearing/demos")
    row = make_base_model("lab/lonely", "sha256:" + "ef" * 32)
    row.architecture = "OtherForCausalLM"
    row.save()
    page = words(client.get("/works-with?model=lab/lonely").content)
    assert "Nothing of its architecture is here either" in page
    found = words(client.get(f"/?works_on={MODEL_HASH}").content)
    assert "Remove Works with bearing/demo" in found
