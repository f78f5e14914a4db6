"""The rows of a dataset's version and what changed between two, over HTTP."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from registry.datasets.models import Dataset, DatasetVersion
from registry.datasets.services import dataset_check, dataset_publish
from steering_core.pairs.jsonl import read_canonical, write_jsonl
from steering_core.pairs.pair import ContrastivePair
from tests.api.conftest import Api
from tests.factories import make_dataset_version, make_pairs_file

PATH = "/datasets/acme/tone-pairs/versions"
ROWS = f"{PATH}/1/rows"
DIFF = f"{PATH}/1/diff/2"
PLAIN = read_canonical(make_pairs_file())
ODD = ContrastivePair(
    prompt="Wie lang?",
    positive="Die Straße ist lang.",
    negative="Die\u200bser Weg nicht.",
    group="wege",
    domain="de",
)
PAIRS = [*PLAIN, PLAIN[0], ODD]


@pytest.fixture
def version(owner: Api) -> DatasetVersion:
    return make_dataset_version(owner.user, visibility="public", data=write_jsonl(PAIRS))


def push(owner: Api, pairs: list[ContrastivePair]) -> DatasetVersion:
    """The next version."""
    checked = dataset_check(data=write_jsonl(pairs), filename="pairs.jsonl")
    return dataset_publish(actor=owner.user, name="tone-pairs", checked=checked, visibility="")[0]


def numbers(api: Api, **query: Any) -> list[int]:
    answer = api.get(ROWS, {"limit": 100, **query})
    assert answer.status_code == 200, answer.json()
    return [row["number"] for row in answer.json()["items"]]


def test_rows_are_the_pairs_of_the_file_with_splits_and_remarks(nobody: Api, version: DatasetVersion) -> None:
    rows = nobody.get(ROWS, {"limit": 100}).json()["items"]
    assert [row["number"] for row in rows] == list(range(1, 23))
    assert [row["pair"] for row in rows] == [asdict(pair) for pair in PAIRS]
    counted = {name: sum(row["split"] == name for row in rows) for name in ("train", "select", "test", "")}
    splits = version.report["splits"]
    assert counted == {name: splits[name] for name in ("train", "select", "test")} | {"": 1}
    assert (rows[20]["split"], rows[20]["remarks"]) == ("", ["duplicates"])
    assert rows[21]["remarks"] == ["hidden_characters"]
    assert rows[4]["remarks"] == []


def test_rows_are_found_by_text_split_remark_and_domain(nobody: Api, version: DatasetVersion) -> None:
    assert numbers(nobody, q="QUESTION 7 about") == [8]
    assert numbers(nobody, q="STRASSE") == numbers(nobody, q=" wege ") == [22]
    assert numbers(nobody, q="", split="", domain="") == list(range(1, 23))
    assert numbers(nobody, q="%") == []
    assert numbers(nobody, remark="duplicates") == [21]
    assert numbers(nobody, remark="swapped_groups") == []
    assert numbers(nobody, domain="de") == [22]
    assert numbers(nobody, domain="DE") == []
    by_split = [numbers(nobody, split=name) for name in ("train", "select", "test")]
    assert sorted(n for found in by_split for n in found) == [n for n in range(1, 23) if n != 21]
    assert numbers(nobody, split="test", q="answer") == [n for n in by_split[2] if n <= 20]
    assert numbers(nobody, domain="de", q="question") == []


def test_pages_of_rows_go_on_after_a_number(nobody: Api, version: DatasetVersion) -> None:
    first = nobody.get(ROWS, {"q": "answer", "limit": 8})
    pages, answer = [first.json()["items"]], first
    while link := answer.headers.get("Link"):
        answer = nobody.client.get(link.partition(">")[0].strip("<"))
        pages.append(answer.json()["items"])
    assert [[row["number"] for row in page] for page in pages] == [
        [1, 2, 3, 4, 5, 6, 7, 8],
        [9, 10, 11, 12, 13, 14, 15, 16],
        [17, 18, 19, 20, 21],
    ]
    assert first.json()["next_cursor"] == "8"
    assert answer.json()["next_cursor"] is None
    assert numbers(nobody, cursor="11", limit=1) == [12]
    assert numbers(nobody, cursor="22") == numbers(nobody, cursor="9" * 9) == []
    assert len(nobody.get(ROWS).json()["items"]) == 20


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "\0", "\u0664", "²", "9" * 5000, "<script>"])
def test_cursor_that_is_no_number_is_refused(nobody: Api, version: DatasetVersion, cursor: str) -> None:
    answer = nobody.get(ROWS, {"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor.invalid")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("split", "all"),
        ("remark", "nonsense"),
        ("remark", "like_groups"),
        ("q", "x" * 201),
        ("q", "a\0b"),
        ("domain", "x" * 201),
        ("domain", "\0"),
        ("limit", "101"),
        ("limit", "-1"),
    ],
)
def test_row_query_of_the_wrong_form_is_refused(
    nobody: Api, version: DatasetVersion, name: str, value: str
) -> None:
    answer = nobody.get(ROWS, {name: value})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/{name}"]


def test_diff_names_rows_that_changed_came_and_went(owner: Api, nobody: Api, version: DatasetVersion) -> None:
    swapped = replace(PAIRS[1], positive=PAIRS[1].negative, negative=PAIRS[1].positive)
    edited = replace(PAIRS[2], positive="By all means. Answer 2.", domain="kind")
    added = replace(ODD, prompt="Und wie breit?", positive="Sehr breit.", negative="Schmal, glaube ich.")
    push(owner, [added, PAIRS[0], swapped, edited, *PAIRS[4:]])

    body = nobody.get(DIFF).json()
    assert (body["before"]["reference"], body["after"]["reference"]) == (
        "acme/tone-pairs@1",
        "acme/tone-pairs@2",
    )
    assert "report" not in body["after"]
    assert body["counts"] == {"changed": 2, "added": 1, "removed": 1}
    assert body["left_out"] == 0
    whole = {"fields": [], "is_swap": False}
    assert body["changes"] == [
        {
            "kind": "added",
            "row_before": None,
            "row_after": 1,
            **whole,
            "before": None,
            "after": asdict(added),
        },
        {
            "kind": "changed",
            "row_before": 2,
            "row_after": 3,
            "fields": ["negative", "positive"],
            "is_swap": True,
            "before": asdict(PAIRS[1]),
            "after": asdict(swapped),
        },
        {
            "kind": "changed",
            "row_before": 3,
            "row_after": 4,
            "fields": ["positive", "domain"],
            "is_swap": False,
            "before": asdict(PAIRS[2]),
            "after": asdict(edited),
        },
        {
            "kind": "removed",
            "row_before": 4,
            "row_after": None,
            **whole,
            "before": asdict(PAIRS[3]),
            "after": None,
        },
    ]

    back = nobody.get(f"{PATH}/2/diff/1").json()
    assert back["counts"] == {"changed": 2, "added": 1, "removed": 1}
    assert [change["kind"] for change in back["changes"]] == ["changed", "changed", "added", "removed"]
    same = nobody.get(f"{PATH}/2/diff/2").json()
    assert (same["counts"], same["changes"]) == ({"changed": 0, "added": 0, "removed": 0}, [])


def test_moved_rows_are_no_change(owner: Api, nobody: Api, version: DatasetVersion) -> None:
    push(owner, PAIRS[::-1])
    assert nobody.get(DIFF).json()["changes"] == []


def test_diff_shows_so_many_changes_and_says_what_it_leaves_out(
    owner: Api, nobody: Api, version: DatasetVersion
) -> None:
    more = [replace(ODD, prompt=f"Frage {n}?", positive=f"Ja {n}.", negative=f"Ne {n}.") for n in range(130)]
    push(owner, [PAIRS[0], *PAIRS[2:], *more])

    body = nobody.get(DIFF).json()
    assert body["counts"] == {"changed": 0, "added": 130, "removed": 1}
    assert (len(body["changes"]), body["left_out"]) == (100, 31)
    rest = nobody.get(DIFF, {"offset": 100}).json()
    assert (len(rest["changes"]), rest["left_out"]) == (31, 100)
    assert rest["changes"][-1]["kind"] == "removed"
    seen = [change["row_after"] for change in (*body["changes"], *rest["changes"])]
    assert seen == [*range(22, 152), None]

    gone = nobody.get(DIFF, {"kind": "removed"}).json()
    assert ([change["row_before"] for change in gone["changes"]], gone["left_out"]) == ([2], 0)
    assert gone["counts"] == body["counts"]
    some = nobody.get(DIFF, {"kind": "added", "limit": 3, "offset": 2}).json()
    assert ([change["row_after"] for change in some["changes"]], some["left_out"]) == ([24, 25, 26], 127)
    none = nobody.get(DIFF, {"offset": 10_000_000}).json()
    assert (none["changes"], none["left_out"]) == ([], 131)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "moved"),
        ("kind", "\0"),
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "x"),
        ("limit", "9" * 5000),
        ("offset", "-1"),
        ("offset", "1e3"),
        ("offset", "9" * 20),
    ],
)
def test_diff_query_of_the_wrong_form_is_refused(
    nobody: Api, version: DatasetVersion, name: str, value: str
) -> None:
    answer = nobody.get(f"{PATH}/1/diff/1", {name: value})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/{name}"]


@pytest.mark.parametrize("number", ["0", "3", "9" * 30])
def test_version_that_is_none_is_not_found(nobody: Api, version: DatasetVersion, number: str) -> None:
    for path in (f"{PATH}/{number}/rows", f"{PATH}/{number}/diff/1", f"{PATH}/1/diff/{number}"):
        answer = nobody.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "dataset.version_not_found")
    missing = nobody.get("/datasets/acme/nothing/versions/1/rows")
    assert (missing.status_code, missing.json()["code"]) == (404, "dataset.not_found")
    assert nobody.get(f"{PATH}/1/diff/latest").json()["code"] == "request.not_found"


def test_private_rows_are_for_those_who_may_see_the_dataset(
    owner: Api, reader: Api, other: Api, nobody: Api, version: DatasetVersion
) -> None:
    push(owner, PAIRS[1:])
    kept = "public, max-age=60, stale-while-revalidate=600"
    for visibility, open_to, caching in (
        ("public", (owner, reader, other, nobody), kept),
        ("unlisted", (owner, reader, other, nobody), "private, no-store"),
        ("private", (owner, reader), "private, no-store"),
    ):
        Dataset.objects.update(visibility=visibility)
        for path in (ROWS, DIFF):
            for api in (owner, reader, other, nobody):
                answer = api.get(path)
                if api in open_to:
                    assert (answer.status_code, answer["Cache-Control"]) == (200, caching)
                else:
                    assert (answer.status_code, answer.json()["code"]) == (404, "dataset.not_found")


def test_rows_and_diff_ask_as_often_for_many(
    owner: Api, nobody: Api, version: DatasetVersion, django_assert_num_queries: Callable[[int], Any]
) -> None:
    push(owner, PAIRS[3:])
    for limit in (1, 100):
        with django_assert_num_queries(2):
            nobody.get(ROWS, {"limit": limit})
        with django_assert_num_queries(4):
            nobody.get(DIFF, {"limit": limit})
