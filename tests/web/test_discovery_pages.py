"""Filters with counts on the catalog; copies and similar vectors on the page of a vector."""

from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import User
from registry.catalog.vectors import vector_update
from registry.discovery import facets
from steering_core.formats.bearing import write_vector
from tests.factories import make_user, make_vector, make_vector_version
from tests.web.pages import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(acme: User) -> None:
    for seed, verdict in enumerate(("pass", "warn", "fail")):
        make_vector_version(acme, f"tone-{verdict}", verdict=verdict, seed=seed)
    vector_update(actor=acme, name="tone-warn", trait="warmth", language="en")
    vector_update(actor=acme, name="tone-fail", trait="caution")


@pytest.mark.usefixtures("three")
def test_filters_are_links_that_join_values_and_count(client: Client) -> None:
    page = client.get("/?verdict=pass&q=tone").content.decode()
    assert 'href="?verdict=pass&amp;verdict=warn&amp;q=tone"' in page or (
        'href="?q=tone&amp;verdict=pass&amp;verdict=warn"' in page
    )
    assert "Passes 1 Warns 1 Too little data Fails 1" in words(page.encode())
    both = words(client.get("/?verdict=pass&verdict=warn").content)
    assert "2 vectors" in both
    assert "acme/tone-fail" not in both
    assert "warmth 1" in words(client.get("/").content)
    assert "acme/tone-warn@1.0.0" in words(client.get("/?trait=warmth&since=2026-01-01&sort=newest").content)


@pytest.mark.usefixtures("three")
def test_more_filters_are_open_once_one_is_chosen(client: Client) -> None:
    assert b'<details class="more">' in client.get("/").content
    assert b'<details class="more" open>' in client.get("/?language=en").content


@pytest.mark.usefixtures("three")
def test_counts_of_many_are_least_numbers(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facets, "COUNTED", 2)
    assert "2+ vectors" in words(client.get("/").content)


@pytest.mark.parametrize(
    "query", ["since=soon", "since=2026-13-45", "sort=best", "trait=%00", "site=" + "x&site=" * 30]
)
def test_what_makes_no_sense_in_an_address_is_an_ordinary_page(client: Client, query: str) -> None:
    assert client.get(f"/?{query}").status_code == 200


def test_copy_and_source_are_on_the_page_before_and_after_publication(
    client: Client, signed_in: Client, acme: User, django_capture_on_commit_callbacks: Any
) -> None:
    make_vector_version(make_user("lex"), "source")
    with django_capture_on_commit_callbacks(execute=True):
        draft = make_vector_version(acme, "mine", state="extracted", artifact=write_vector(-make_vector()))
    said = "It points straight away from lex/source@1.0.0 : cosine −1.0000"
    assert said in words(signed_in.get(f"/acme/mine/drafts/{draft.pk}").content)
    body = {"draft_id": str(draft.pk), "version": "1.0.0", "license": "MIT", "visibility": "public"}
    signed_in.post("/acme/mine/publish", body)
    assert said in words(client.get("/acme/mine").content)
    source = words(client.get("/lex/source").content)
    assert "published before" not in source
    assert "Similar vectors" in source
    assert "Mine acme/mine@1.0.0 sign flipped −1.0000" in source
