"""Blind tests over HTTP: what all answers show, for those who may see the version."""

from typing import Any

import pytest

from registry.catalog.models import VectorVersion
from registry.catalog.releasing import version_publish
from registry.trust.selectors import blind_plan
from registry.trust.services import blind_answer
from tests.api.conftest import Api
from tests.factories import make_vector_version

PATH = "/vectors/acme/formality/versions/1.0.0/blind-test"
ITEMS = [{"prompt": f"q {i}", "neutral": "plain", "steered": "formal", "random": "odd"} for i in range(40)]


@pytest.fixture
def draft(owner: Api) -> VectorVersion:
    """An extracted version whose report carries replies."""
    row = make_vector_version(owner=owner.user, state="extracted")
    row.report = {**(row.report or {}), "sections": {"blind": {"strength": 0.3, "items": ITEMS}}}
    row.save(update_fields=["report"])
    return row


@pytest.fixture
def version(owner: Api, draft: VectorVersion) -> VectorVersion:
    return version_publish(
        actor=owner.user, name="formality", version="1.0.0", license="MIT", visibility="public"
    )


def answer_rightly(rater: Any, version: VectorVersion) -> None:
    """The steered reply is always said to show more, and equal replies to be equal."""
    for number, shown in enumerate(blind_plan(rater=rater, version=version), 1):
        side = "left" if shown.is_left else "right"
        answer = "tie" if shown.kind == "identical" else side
        blind_answer(rater=rater, version=version, number=number, answer=answer)


@pytest.mark.usefixtures("version")
def test_blind_test_that_nobody_took_is_insufficient(nobody: Api) -> None:
    answer = nobody.get(PATH)

    assert answer.status_code == 200
    assert answer.json()["metric"]["verdict"] == "insufficient"
    assert (answer.json()["decided"], answer.json()["raters"]) == (0, 0)


def test_blind_test_of_someone_who_sees_the_trait_passes_with_an_interval(
    nobody: Api, other: Api, version: VectorVersion
) -> None:
    answer_rightly(other.user, version)

    found = nobody.get(PATH).json()

    assert (found["metric"]["id"], found["metric"]["verdict"]) == ("blind", "pass")
    assert found["metric"]["low"] > 0.9
    assert (found["decided"], found["false_alarms"], found["random_wins"]) == (40, 0.0, 1.0)
    assert found == nobody.get(f"/versions/{version.pk}/blind-test").json()


def test_blind_test_of_a_draft_is_its_owners_alone(owner: Api, other: Api, draft: VectorVersion) -> None:
    path = f"/versions/{draft.pk}/blind-test"

    assert owner.get(path).json()["metric"]["verdict"] == "insufficient"
    assert other.get(path).json()["code"] == "version.not_found"


def test_blind_test_without_replies_to_compare_is_not_found(nobody: Api, owner: Api) -> None:
    make_vector_version(owner=owner.user)

    answer = nobody.get(PATH)

    assert (answer.status_code, answer.json()["code"]) == (404, "blind.no_material")
