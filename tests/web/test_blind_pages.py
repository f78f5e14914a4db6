"""The blind test's page: a question at a time, the result at the end, nothing that gives a side away."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from registry.catalog.models import VectorVersion
from tests.factories import make_vector_version

pytestmark = pytest.mark.django_db
ITEMS = [
    {
        "prompt": f"question {i}",
        "neutral": f"reply {i} a",
        "steered": f"reply {i} b",
        "random": f"reply {i} c",
    }
    for i in range(40)
]


@pytest.fixture
def address(acme: Any) -> str:
    """The blind test of a draft of acme's."""
    row = make_vector_version(owner=acme, state="extracted")
    report = {**(row.report or {}), "sections": {"blind": {"strength": 0.3, "items": ITEMS}}}
    VectorVersion.objects.filter(pk=row.pk).update(report=report)
    return reverse("web:draft_blind", args=("acme", row.vector.name, row.pk))


def test_blind_page_asks_which_reply_is_more_of_the_trait(signed_in: Client, address: str) -> None:
    page = signed_in.get(address).content.decode()

    assert "Which reply is more formal?" in page
    assert "1 of 48" in page
    assert page.count('name="answer"') == 3
    for word in ("steered</", "is_left", "data-kind", "random"):
        assert word not in page


def test_blind_page_answered_to_the_end_shows_the_interval(signed_in: Client, address: str) -> None:
    for number in range(1, 49):
        answer = "tie" if number % 4 == 0 else "left"
        assert signed_in.post(address, {"number": number, "answer": answer}).status_code == 302

    page = signed_in.get(address).content.decode()
    assert "You have answered all" in page
    assert "Do people see it?" in page


def test_blind_page_answer_sent_twice_counts_once(signed_in: Client, address: str) -> None:
    for _ in range(2):
        signed_in.post(address, {"number": "1", "answer": "left"})

    assert "2 of 48" in signed_in.get(address).content.decode()


@pytest.mark.parametrize("body", [{}, {"number": "x", "answer": "left"}, {"number": "1", "answer": "maybe"}])
def test_blind_page_answer_that_is_none_is_refused(signed_in: Client, address: str, body: Any) -> None:
    assert signed_in.post(address, body).status_code == 422


def test_blind_page_of_somebody_elses_draft_does_not_exist(stranger: Client, address: str) -> None:
    assert stranger.get(address).status_code == 404


def test_blind_page_without_signing_in_leads_to_the_sign_in_page(client: Client, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 302
    assert "login" in response["Location"]


def test_vector_page_leads_to_the_blind_test_and_says_what_it_shows(signed_in: Client, address: str) -> None:
    vector_page = address.removesuffix("/blind")
    before = signed_in.get(vector_page).content.decode()

    signed_in.post(address, {"number": 1, "answer": "left"})

    after = signed_in.get(vector_page).content.decode()
    assert f'href="{address}">Take the blind test' in before
    assert "Nobody has compared its replies" in before
    assert "comparisons were decided; 30 are needed" in after
    assert "1 rater<" in after


def test_vector_page_without_replies_to_compare_has_no_blind_test(signed_in: Client, acme: Any) -> None:
    make_vector_version(owner=acme)

    assert "blind" not in signed_in.get("/acme/formality").content.decode().lower()
