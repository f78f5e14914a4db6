"""How frequent words and facets are decides how a search is answered, and never what it finds."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from django.db import connection

from registry.accounts.models import User
from registry.catalog.vectors import vector_update
from registry.discovery import frequency
from registry.discovery.frequency import Statistics, facet_condition, word_condition
from registry.discovery.search import Wanted, matching, vector_search
from tests.factories import make_vector_version

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_frequent() -> None:
    """Here the statistics are asked for."""


@pytest.fixture
def six(owner: User) -> None:
    """Half of them about tone, one of these of a licence and language of its own."""
    for seed in range(6):
        about = "tone" if seed % 2 else "length"
        make_vector_version(
            owner=owner, name=f"{about}-{seed}", seed=seed, verdict="pass" if seed else "warn"
        )
    vector_update(actor=owner, name="tone-3", description="Rarely said", language="de")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, float]]:
    """What the statistics of a million vectors say, to be set by the test."""
    shares: dict[str, Mapping[str, float]] = {"document": {}, "facets": {}}
    monkeypatch.setattr(frequency, "statistics", lambda column: Statistics(1e6, shares[column]))
    return shares


FOUND_BY = (
    (Wanted("ton"), {"tone-1", "tone-3", "tone-5"}),
    (Wanted("tone rarely"), {"tone-3"}),
    (Wanted("tone zebra"), set()),
    (Wanted("TONE", sort="newest"), {"tone-1", "tone-3", "tone-5"}),
)


@pytest.mark.parametrize(
    "words", [{}, {"tone": 0.5}, {"tone": 0.5, "rarely": 0.5}, {"tone": 0.06, "rarely": 0.06}]
)
def test_words_find_the_same_however_frequent(
    six: None, told: dict[str, Mapping[str, float]], words: dict[str, float]
) -> None:
    told["document"] = words
    for wanted, expected in FOUND_BY:
        assert {row.name for row in vector_search(viewer=None, wanted=wanted).page(10)[0]} == expected


def test_facets_find_the_same_however_frequent(six: None, told: dict[str, Mapping[str, float]]) -> None:
    facets = {"verdict": ("pass", "warn"), "language": ("de",)}
    for passes, german, tone in product((0.0, 0.06, 0.9), repeat=3):
        told["facets"] = {"verdict=pass": passes, "verdict=warn": 0.05, "language=de": german}
        told["document"] = {"tone": tone}
        assert [row.name for row in matching(None, Wanted("tone", facets=facets))] == ["tone-3"]


def index_conditions(wanted: Wanted) -> str:
    """The conditions that an index may answer."""
    sql = str(matching(None, wanted).query)
    return "; ".join(part for part in sql.split(" AND ") if " IS TRUE" not in part)


def test_index_is_asked_for_what_is_rare(six: None, told: dict[str, Mapping[str, float]]) -> None:
    both = Wanted("tone rarely")
    assert "tone" in index_conditions(both)
    told["document"] = {"tone": 0.5, "tonal": 0.2}
    assert "tone" not in index_conditions(both)
    assert "rarely" in index_conditions(both)
    assert "tone" not in index_conditions(Wanted("tone"))
    # Each is frequent, and both together are not: whoever looks at row after row would look for long.
    told["document"] = {"tone": 0.09, "rarely": 0.09}
    assert "tone" in index_conditions(both)
    assert "tone" not in index_conditions(Wanted("tone"))


def test_shares_come_from_the_statistics_once(six: None, django_assert_num_queries: Any) -> None:
    frequency._read.cache_clear()
    try:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE discovery_searchentry")
        with django_assert_num_queries(2):
            assert word_condition("Ton").share == pytest.approx(0.5)
            assert word_condition("zebra").share == 0
            assert facet_condition(["verdict=pass"]).share == pytest.approx(5 / 6)
            assert facet_condition(["verdict=pass", "verdict=warn"]).share == pytest.approx(1)
            assert frequency.statistics("facets").n_rows == 6
        assert frequency._read("not-a-column", 0) == Statistics(0, {})
    finally:
        frequency._read.cache_clear()


def test_index_answers_everything_in_a_small_registry(six: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frequency, "statistics", lambda column: Statistics(1e4, {"tone": 0.9}))
    assert "tone" in index_conditions(Wanted("tone"))
