"""Search on the real PostgreSQL: words, facets, orders, pages, and who sees what."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from registry.accounts.models import User
from registry.catalog.lifecycle import vector_deprecate, version_yank
from registry.catalog.models import Vector
from registry.catalog.transfers import vector_move
from registry.catalog.vectors import vector_update
from registry.core.errors import InvalidError
from registry.discovery import facets, search
from registry.discovery.entries import entries_mend, entries_rebuild, entries_use
from registry.discovery.facets import facet_counts
from registry.discovery.models import SearchEntry
from registry.discovery.search import Wanted, vector_search
from tests.factories import MODEL_HASH, make_organisation, make_user, make_vector_version

pytestmark = pytest.mark.django_db


def names(viewer: Any = None, /, **wanted: Any) -> list[str]:
    return [row.name for row in vector_search(viewer=viewer, wanted=Wanted(**wanted)).page(20)[0]]


@pytest.fixture
def five(owner: User) -> User:
    """Vectors of all verdicts, one after the other."""
    for seed, (name, verdict) in enumerate(
        [("warm-tone", "pass"), ("cold-tone", "warn"), ("hedging", "insufficient"), ("no-hedging", "fail")]
    ):
        make_vector_version(owner=owner, name=name, verdict=verdict, seed=seed)
    vector_update(
        actor=owner, name="hedging", title="Careful words", description="Says perhaps. LLaMA-3.1, Ünïcode"
    )
    vector_update(actor=owner, name="cold-tone", trait="Warmth", language="en")
    return owner


EVERYTHING = ["warm-tone", "cold-tone", "hedging", "no-hedging"]
FOUND_BY = {
    "": EVERYTHING,
    "tone": ["warm-tone", "cold-tone"],
    "TON war": ["warm-tone", "cold-tone"],
    "hedg": ["hedging", "no-hedging"],
    "no-hedging": ["no-hedging"],
    "care perhaps": ["hedging"],
    "llama-3.1": ["hedging"],
    "3 1 ünï": ["hedging"],
    "bearing/demo acme": EVERYTHING,
    MODEL_HASH: EVERYTHING,
    "sha256:" + "00" * 32: [],
    "zebra": [],
    "🦓": [],
    "'": [],
    "%": [],
}


def test_search_by_words_finds_what_begins_like_them(five: User) -> None:
    assert {text: names(text=text) for text in FOUND_BY} == FOUND_BY


def test_vector_of_just_this_name_is_found_behind_any_number_of_better_ones(
    five: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CANDIDATES", 1)
    assert names(text="hedging") == ["hedging"]
    assert names(text="no hedging") == ["no-hedging"]
    make_vector_version(owner=five, name="hedging-well", seed=5)
    assert names(text="hedg") == ["hedging-well"]
    assert names(text="hedging") == ["hedging", "hedging-well"]
    assert names(text="hedging", facets={"verdict": ("pass",)}) == ["hedging-well"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@example("!&|():*<->'\\\"")
@example("a" * 10_000)
@example("é" * 3000 + " 'tone':* & !x")
@example("１２３ ① ٣ ﷺ")
def test_search_never_fails_for_what_is_typed(db: None, text: str) -> None:
    assert names(text=text) == []
    assert facet_counts(viewer=None, wanted=Wanted(text=text)).total == 0


def test_search_by_facets_joins_values_and_meets_facets(five: User) -> None:
    assert names(facets={"verdict": ("pass", "fail")}) == ["warm-tone", "no-hedging"]
    assert names(facets={"verdict": ("pass", "warn"), "trait": ("warmth",)}) == ["cold-tone"]
    assert names(facets={"family": ("Llama",), "grade": ("C",), "license": ("CC-BY-4.0",)}) == ["hedging"]
    assert names(facets={"site": ("resid_post",), "method": ("mean_difference",)}, text="warm") == [
        "warm-tone",
        "cold-tone",
    ]
    assert names(facets={"access": ("paid",)}) == names(owner="mallory") == []
    assert names(since=timezone.now() + timedelta(days=1)) == []
    assert len(names(since=timezone.now() - timedelta(days=1), owner="acme")) == 4


def test_orders_go_by_use_verdict_and_time(five: User) -> None:
    by_name = {row.name: row.pk for row in Vector.objects.all()}
    entries_use({by_name["no-hedging"]: 20_000, by_name["hedging"]: 5})
    assert names() == ["no-hedging", "warm-tone", "cold-tone", "hedging"]
    assert names(sort="downloads")[:2] == ["no-hedging", "hedging"]
    assert names(sort="verdict") == ["warm-tone", "cold-tone", "hedging", "no-hedging"]
    assert names(sort="newest") == ["no-hedging", "hedging", "cold-tone", "warm-tone"]
    vector_deprecate(actor=five, name="no-hedging", reason="old")
    assert names()[-1] != "no-hedging"
    assert names(text="hedging") == ["hedging", "no-hedging"]


def test_pages_show_every_vector_once_and_in_order(owner: User) -> None:
    for seed in range(5):
        make_vector_version(owner=owner, name=f"tone-{seed}", verdict="warn", seed=seed)
    # All equal but for their ids.
    SearchEntry.objects.update(fresh_at=timezone.now())
    for wanted in (*(Wanted(sort=sort) for sort in search.ORDERS), Wanted("tone")):
        found = vector_search(viewer=None, wanted=wanted)
        seen, cursor = [], ""
        for _ in range(3):
            rows, cursor = found.page(2, cursor)
            seen += [row.name for row in rows]
        assert cursor == ""
        assert seen == [row.name for row in found.page(20)[0]]
        assert len(set(seen)) == 5


def test_cursor_of_another_order_is_refused(five: User) -> None:
    _, cursor = vector_search(viewer=None).page(1)
    for given_cursor in (cursor[:-3], "zzzz", "é", "W10", cursor):
        with pytest.raises(InvalidError, match="cursor"):
            vector_search(viewer=None, wanted=Wanted(sort="newest")).page(1, given_cursor)


def test_private_and_organisations_rows_show_for_members_alone(owner: User, other: User) -> None:
    make_organisation("initech", owner=owner, reader=other)
    stranger = make_user("lex")
    for seed, visibility in enumerate(("private", "organisation", "unlisted", "public")):
        make_vector_version(owner=owner, name=f"initech/{visibility}", visibility=visibility, seed=seed)
    shown = {who: set(names(who)) for who in (owner, other, stranger, None)}
    assert shown[owner] == {"private", "organisation", "unlisted", "public"}
    assert shown[other] == {"organisation", "unlisted", "public"}
    assert shown[stranger] == shown[None] == {"public"}
    for who, visible in shown.items():
        assert set(names(who, text="initech")) == visible
        assert facet_counts(viewer=who, wanted=Wanted()).total == len(visible)


def test_mine_holds_drafts_and_only_for_who_may_write(owner: User, other: User) -> None:
    make_vector_version(owner=owner, state="draft")
    assert names(owner, mine=True) == ["formality"]
    assert names(owner) == names(other, mine=True) == names(None, mine=True) == []


def test_entry_follows_every_change(five: User) -> None:
    version_yank(actor=five, name="warm-tone", version="1.0.0", reason="wrong")
    make_organisation("initech", owner=five)
    vector_move(actor=five, owner="acme", name="hedging", to_owner="initech", to_name="caution")
    vector_update(actor=five, name="no-hedging", visibility="private")
    assert names() == ["cold-tone", "caution"]
    assert names(owner="initech", text="caution") == ["caution"]


def test_facets_leave_their_own_choice_out(five: User) -> None:
    counts = facet_counts(viewer=None, wanted=Wanted(facets={"verdict": ("pass",)}))
    assert (counts.total, counts.is_approximate) == (1, False)
    assert dict(counts.values["verdict"]) == {"pass": 1, "warn": 1, "insufficient": 1, "fail": 1}
    assert counts.values["grade"] == [("B", 1)]
    assert counts.values["model_hash"] == [(MODEL_HASH, 1)]
    assert counts.values["trait"] == []


def test_facets_of_many_count_the_best_and_say_so(five: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facets, "COUNTED", 2)
    counts = facet_counts(viewer=None, wanted=Wanted())
    assert (counts.total, counts.is_approximate) == (2, True)


def test_rebuild_and_mend_give_what_the_changes_gave(
    five: User, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    rows = list(SearchEntry.objects.order_by("pk").values())
    SearchEntry.objects.filter(name="hedging").delete()
    SearchEntry.objects.filter(name="cold-tone").update(facets=[], visibility="private")
    monkeypatch.setattr("registry.discovery.entries.RECENT_USE", [lambda ids: dict.fromkeys(ids, 7)])
    assert entries_mend() == 1
    assert entries_mend() == 0
    with django_assert_max_num_queries(12):
        assert sum(entries_rebuild()) == 4
    again = list(SearchEntry.objects.order_by("pk").values())
    assert {row.pop("downloads") for row in again} == {7}
    assert [{k: v for k, v in row.items() if k not in ("downloads", "score")} for row in rows] == [
        {k: v for k, v in row.items() if k != "score"} for row in again
    ]
