"""Reports to the operators over HTTP: who may make one, what staff see of it and decide."""

from collections.abc import Callable
from typing import Any

import pytest

from registry.audit.models import AuditEvent
from registry.catalog.states import VersionState
from registry.discovery.models import NearCopy
from registry.presets.drafts import MemberWish, PresetWish, preset_create
from registry.presets.publishing import preset_publish
from registry.trust.flags import MAX_OPEN, flags_find
from registry.trust.models import Flag
from tests.api.conftest import Api
from tests.factories import make_dataset_version, make_user, make_vector_version

VECTOR = "/vectors/acme/formality"
DATASET = "/datasets/acme/pairs"
PRESET = "/presets/acme/warm"
QUEUE = "/review/flags"
LIE = {"reason": "misleading", "text": "It says formality and gives none of it."}
WHY = {"reason": "Its name misleads."}


@pytest.fixture
def staff(caller: Callable[..., Api]) -> Api:
    make_user("operator", is_staff=True)
    return caller("operator", ("read", "write", "manage"))


@pytest.fixture
def shown(owner: Api) -> None:
    """A vector, a preset and a dataset that everybody sees."""
    make_vector_version(owner=owner.user)
    make_dataset_version(owner=owner.user, name="pairs", visibility="public")
    preset_create(actor=owner.user, wish=PresetWish("warm", [MemberWish("acme/formality", 0.2)]))
    preset_publish(actor=owner.user, owner="acme", name="warm", version="1.0.0", visibility="public")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.usefixtures("shown")
def test_a_vector_is_reported_and_staff_deprecate_it(
    owner: Api, other: Api, nobody: Api, staff: Api, django_assert_num_queries: Any
) -> None:
    made = other.post(f"{VECTOR}/flags", LIE)
    assert made.status_code == 201
    flag = made.json()
    assert flag | {"id": "", "created_at": ""} == {
        "id": "",
        "kind": "vector",
        "reference": "acme/formality",
        "version": None,
        "url": "http://localhost:8000/acme/formality",
        **LIE,
        "state": "open",
        "created_at": "",
    }
    # While it is open, again changes nothing.
    again = other.post(f"{VECTOR}/flags", LIE | {"text": "Once more: it gives none."})
    assert (again.status_code, again.json()) == (200, flag)
    # Its owner does not learn who spoke.
    assert not AuditEvent.objects.filter(namespace="acme", action="flag.opened").exists()

    waiting = {
        **flag,
        "reporter": "mallory",
        "copied_from": None,
        "outcomes": ["dismissed", "deprecated", "removed"],
        "outcome": "",
        "decision_reason": "",
        "decided_by": "",
        "decided_at": None,
    }
    assert staff.get(QUEUE).json() == {"items": [waiting], "next_cursor": None}
    # The token, and the flag with all that it names.
    with django_assert_num_queries(2):
        assert staff.get(f"{QUEUE}/{flag['id']}").json() == waiting

    decided = staff.post(f"{QUEUE}/{flag['id']}/decide", {"outcome": "deprecated", **WHY})
    assert decided.status_code == 200
    assert decided.json()["decided_at"]
    assert decided.json() | {"decided_at": None} == {
        **waiting,
        "state": "decided",
        "outcomes": [],
        "outcome": "deprecated",
        "decision_reason": "Its name misleads.",
        "decided_by": "operator",
    }
    assert nobody.get(VECTOR).json()["deprecation_reason"] == "Its name misleads."
    assert staff.get(QUEUE).json()["items"] == []
    assert staff.get(QUEUE, {"state": "decided"}).json()["items"] == [decided.json()]
    again = staff.post(f"{QUEUE}/{flag['id']}/decide", {"outcome": "dismissed", "reason": "no"})
    assert code(again) == (409, "flag.decided")


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize(("kind", "path"), [("preset", PRESET), ("dataset", DATASET)])
def test_what_staff_hide_they_can_let_its_owner_show_again(
    other: Api, nobody: Api, staff: Api, kind: str, path: str
) -> None:
    flag = other.post(f"{path}/flags", LIE).json()
    assert (flag["kind"], flag["url"]) == (kind, f"http://localhost:8000{path}")
    decide = f"{QUEUE}/{flag['id']}/decide"
    assert code(staff.post(decide, {"outcome": "removed", **WHY})) == (422, "flag.outcome_unknown")
    hidden = staff.post(decide, {"outcome": "hidden", **WHY}).json()
    assert (hidden["outcome"], hidden["outcomes"]) == ("hidden", ["unhidden"])
    assert nobody.get(path).status_code == 404
    assert staff.post(decide, {"outcome": "unhidden", "reason": "It is gone."}).json()["outcomes"] == []


def test_what_the_service_found_is_taken_down(owner: Api, other: Api, staff: Api, nobody: Api) -> None:
    first = make_vector_version(owner=owner.user)
    copy = make_vector_version(owner=other.user, name="copied", seed=1)
    NearCopy.objects.create(version=copy, source=first, cosine=-0.99)
    assert flags_find() == 1

    [flag] = staff.get(QUEUE, {"reason": "flipped"}).json()["items"]
    assert staff.get(QUEUE, {"reason": "copy"}).json()["items"] == []
    assert (flag["kind"], flag["reference"], flag["version"]) == (
        "version",
        "mallory/copied@1.0.0",
        "1.0.0",
    )
    assert flag["url"] == "http://localhost:8000/mallory/copied/versions/1.0.0"
    assert (flag["copied_from"], flag["reporter"]) == ("acme/formality@1.0.0", "")
    taken = staff.post(f"{QUEUE}/{flag['id']}/decide", {"outcome": "removed", "removal": "legal", **WHY})
    assert (taken.json()["outcome"], taken.json()["url"]) == ("removed", None)
    assert nobody.get("/vectors/mallory/copied/versions/1.0.0").status_code == 451


def test_a_flagged_draft_has_no_page(owner: Api, staff: Api) -> None:
    draft = make_vector_version(owner=owner.user, state=VersionState.EXTRACTED)
    Flag.objects.create(version=draft, reason="unsafe", text="fails the safety screen")
    [flag] = staff.get(QUEUE).json()["items"]
    assert (flag["kind"], flag["reference"]) == ("version", "acme/formality")
    assert (flag["version"], flag["url"], flag["outcomes"]) == (None, None, ["dismissed"])


def test_what_one_does_not_see_cannot_be_reported(owner: Api, other: Api, nobody: Api) -> None:
    make_vector_version(owner=owner.user, visibility="private")
    for api, path, status in (
        (other, VECTOR, 404),
        (other, "/vectors/acme/nothing", 404),
        (other, "/datasets/acme/tone-pairs", 404),
        (other, "/presets/acme/nothing", 404),
        (nobody, VECTOR, 401),
    ):
        assert api.post(f"{path}/flags", LIE).status_code == status, path
    assert not Flag.objects.exists()


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (LIE | {"text": "bad"}, (422, "flag.text_invalid")),
        (LIE | {"text": " "}, (422, "flag.text_invalid")),
        (LIE | {"text": "x" * 2001}, (422, "request.invalid")),
        # The service's to find, not a user's to say.
        (LIE | {"reason": "copy"}, (422, "request.invalid")),
        ({"reason": "harm"}, (422, "request.invalid")),
    ],
)
def test_a_report_that_says_too_little_is_refused(other: Api, body: Any, expected: tuple[int, str]) -> None:
    assert code(other.post(f"{VECTOR}/flags", body)) == expected


@pytest.mark.usefixtures("shown")
def test_reports_that_wait_are_limited(other: Api, reader: Api) -> None:
    assert code(reader.post(f"{VECTOR}/flags", LIE)) == (403, "token.scope_missing")
    row = Flag.objects.get(pk=other.post(f"{DATASET}/flags", LIE).json()["id"])
    Flag.objects.bulk_create(
        Flag(reporter=other.user, reason="other", text="As before.", dataset=row.dataset)
        for _ in range(MAX_OPEN - 1)
    )
    assert code(other.post(f"{VECTOR}/flags", LIE)) == (429, "flag.quota")


@pytest.mark.usefixtures("shown")
def test_the_queue_is_there_for_staff_alone(
    owner: Api, other: Api, nobody: Api, staff: Api, caller: Callable[..., Api]
) -> None:
    flag = other.post(f"{VECTOR}/flags", LIE).json()
    one, decision = f"{QUEUE}/{flag['id']}", {"outcome": "dismissed", "reason": "no"}
    for api in (caller("mallory", ("read", "manage")), caller("acme", ("read", "manage"))):
        for answer in (api.get(QUEUE), api.get(one), api.post(f"{one}/decide", decision)):
            assert code(answer) == (404, "request.not_found")
    assert nobody.get(QUEUE).status_code == 401
    weak = caller("operator", ("read", "write"))
    assert weak.get(QUEUE).status_code == weak.get(one).status_code == 200
    assert code(weak.post(f"{one}/decide", decision)) == (403, "token.scope_missing")
    assert Flag.objects.get().state == Flag.State.OPEN


@pytest.mark.usefixtures("shown")
def test_a_decision_that_cannot_be_is_refused(other: Api, staff: Api) -> None:
    decide = f"{QUEUE}/{other.post(f'{VECTOR}/flags', LIE).json()['id']}/decide"
    for body, expected in (
        ({"outcome": "hidden", **WHY}, (422, "flag.outcome_unknown")),
        ({"outcome": "burnt", **WHY}, (422, "request.invalid")),
        ({"outcome": "removed", **WHY, "removal": "whim"}, (422, "request.invalid")),
        ({"outcome": "dismissed", "reason": " "}, (422, "flag.no_reason")),
        ({"outcome": "dismissed"}, (422, "request.invalid")),
    ):
        assert code(staff.post(decide, body)) == expected
    missing = f"{QUEUE}/00000000-0000-0000-0000-000000000000"
    assert code(staff.get(missing)) == (404, "flag.not_found")
    answer = staff.post(f"{missing}/decide", {"outcome": "dismissed", **WHY})
    assert code(answer) == (404, "flag.not_found")
    assert code(staff.get(QUEUE, {"state": "lost"})) == (422, "request.invalid")


@pytest.mark.usefixtures("shown")
def test_the_queue_comes_in_pages_and_each_in_two_queries(
    owner: Api, other: Api, staff: Api, django_assert_num_queries: Any
) -> None:
    for path in (VECTOR, PRESET, DATASET):
        other.post(f"{path}/flags", LIE)
        owner.post(f"{path}/flags", LIE)
    first = make_vector_version(owner=owner.user, name="first", seed=1)
    copy = make_vector_version(owner=other.user, name="copied", seed=2)
    NearCopy.objects.create(version=copy, source=first, cosine=0.999)
    flags_find()

    # The first use of a token is noted.
    staff.get("/me")
    # The token, and the page with all that it names.
    with django_assert_num_queries(2):
        whole = staff.get(QUEUE).json()["items"]
    assert len(whole) == 7
    assert {item["kind"] for item in whole} == {"version", "vector", "preset", "dataset"}
    pages, cursor = [], ""
    while cursor is not None:
        page = staff.get(QUEUE, {"limit": 3, "cursor": cursor}).json()
        pages.append(page["items"])
        cursor = page["next_cursor"]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [item for page in pages for item in page] == whole
