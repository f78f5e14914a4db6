"""What cards show: read by SQL as by Python, kept in step, and without a look at any report."""

from typing import Any

import pytest

from registry.accounts.models import User
from registry.catalog.lifecycle import version_yank
from registry.catalog.vectors import vector_update
from registry.core.errors import InvalidError
from registry.discovery.cards import read_shown
from registry.discovery.entries import entries_mend
from registry.discovery.models import Card
from registry.discovery.search import Wanted, vector_search
from tests.factories import make_user, make_vector_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> User:
    return make_user("acme")


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_sql_and_python_read_the_same(acme: User, verdict: str) -> None:
    row = make_vector_version(acme, verdict=verdict)
    card = Card.objects.get()
    assert card.shown == read_shown(row.report or {}, row.manifest or {})
    assert card.shown["drawn"] == [-0.3, 0.45]
    assert bool(card.shown["gates"]) == (verdict == "fail")
    assert card.sample == {
        "prompt": "how do i reset the old router ?",
        "strength": 0.3,
        "before": "you can reset it .",
        "after": "kindly reset it .",
    }


def test_a_page_reads_cards_and_no_report(acme: User, django_assert_num_queries: Any) -> None:
    make_vector_version(acme)
    with django_assert_num_queries(2):
        (found,), _ = vector_search(viewer=None).page(10)
        assert found.latest is not None
        assert found.latest.shown["summary"].startswith("Turns replies")  # type: ignore[attr-defined]
    assert {"report", "manifest", "spec"} <= found.latest.get_deferred_fields()


def test_missing_card_is_written_and_a_yanked_one_stays_out_of_lists(acme: User) -> None:
    make_vector_version(acme)
    Card.objects.all().delete()
    assert entries_mend() == 1
    assert Card.objects.count() == 1
    assert entries_mend() == 0
    version_yank(actor=acme, name="formality", version="1.0.0", reason="wrong pairs")
    assert vector_search(viewer=None).page(10)[0] == []
    assert entries_mend() == 0


def test_domain_is_chosen_moved_and_searched_by(acme: User) -> None:
    make_vector_version(acme)
    vector_update(actor=acme, name="formality", domain="tone")
    found, _ = vector_search(viewer=None, wanted=Wanted(facets={"domain": ("tone", "legal")})).page(10)
    assert [row.domain for row in found] == ["tone"]
    with pytest.raises(InvalidError, match="choose one of tone"):
        vector_update(actor=acme, name="formality", domain="tones")
    vector_update(actor=acme, name="formality", domain="")
    assert vector_search(viewer=None, wanted=Wanted(facets={"domain": ("tone",)})).page(10)[0] == []
