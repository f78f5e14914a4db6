"""Cursors: complete, stable while rows come in, refused when they are made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.api.pagination import decode
from registry.core.errors import InvalidError
from registry.datasets.models import Dataset
from tests.api.conftest import Api

NAMES = [f"d{number}" for number in range(7)]


@pytest.fixture
def datasets(owner: Api) -> list[str]:
    for name in NAMES:
        Dataset.objects.create(owner=owner.user.namespaces.get(), name=name, visibility="public")
    return NAMES[::-1]


def pages(api: Api, path: str, limit: int) -> list[list[str]]:
    found, query = [], {"limit": limit}
    while True:
        page = api.get(path, query).json()
        found.append([item["name"] for item in page["items"]])
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def test_pages_together_are_the_whole_list(nobody: Api, datasets: list[str]) -> None:
    assert pages(nobody, "/datasets", 3) == [datasets[:3], datasets[3:6], datasets[6:]]


def test_page_size_that_divides_the_list_gives_no_empty_page(nobody: Api, datasets: list[str]) -> None:
    assert len(pages(nobody, "/datasets", 7)) == 1


def test_rows_of_one_moment_are_shown_once_each(nobody: Api, datasets: list[str]) -> None:
    Dataset.objects.update(created_at="2026-01-01T00:00:00Z")
    assert sorted(name for page in pages(nobody, "/datasets", 2) for name in page) == NAMES


def test_new_row_between_pages_moves_nothing(owner: Api, datasets: list[str]) -> None:
    first = owner.get("/datasets", {"limit": 3}).json()
    Dataset.objects.create(owner=owner.user.namespaces.get(), name="newer", visibility="public")
    second = owner.get("/datasets", {"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [item["name"] for item in second["items"]] == datasets[3:6]


def test_link_header_leads_to_the_next_page(nobody: Api, datasets: list[str]) -> None:
    answer = nobody.get("/datasets", {"limit": 5, "q": "d"})
    url, _, rel = answer["Link"].partition("; ")
    assert rel == 'rel="next"'
    following = nobody.client.get(url.strip("<>")).json()
    assert [item["name"] for item in following["items"]] == datasets[5:]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "9" * 400, "\u0664"])
def test_limit_out_of_range_is_refused(nobody: Api, limit: str) -> None:
    answer = nobody.get("/datasets", {"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/limit"


@pytest.mark.parametrize("cursor", ["x", "AAAA", "bnVsbA", "WzEsMl0", "é", "W" * 5000, "\0"])
def test_cursor_that_was_made_up_is_refused(nobody: Api, cursor: str) -> None:
    answer = nobody.get("/datasets", {"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["code"] == "cursor.invalid"


@given(st.text())
def test_decode_any_text_is_refused_by_code(text: str) -> None:
    with pytest.raises(InvalidError):
        decode(text)
