"""Blind tests: one comparison at a time, sides that nobody can work out, answers that stay."""

from typing import Any

import pytest
from django.db import InternalError, ProgrammingError, transaction

from registry.catalog.models import VectorVersion
from registry.core.errors import ConflictError, InvalidError, NotFoundError
from registry.trust.models import BlindAnswer
from registry.trust.selectors import blind_conclusion, blind_plan, blind_question, conclusion_json
from registry.trust.services import blind_answer
from tests.factories import make_user, make_vector_version

pytestmark = pytest.mark.django_db
N_ITEMS = 40


@pytest.fixture
def version(owner: Any) -> VectorVersion:
    """A version whose report carries replies; the row is set in memory only, since it is published."""
    row = make_vector_version(owner=owner)
    items = [
        {"prompt": f"question {i}", "neutral": f"plain {i}", "steered": f"formal {i}", "random": f"odd {i}"}
        for i in range(N_ITEMS)
    ]
    row.report = {**(row.report or {}), "sections": {"blind": {"strength": 0.3, "items": items}}}
    return row


def answer_all(rater: Any, version: VectorVersion, choose: Any) -> None:
    while question := blind_question(rater=rater, version=version):
        blind_answer(rater=rater, version=version, number=question.number, answer=choose(question))


def always_right(question: Any) -> str:
    """What someone says who sees the trait."""
    left, right = (text.startswith("formal") for text in (question.left, question.right))
    return "left" if left else "right" if right else "tie"


def test_blind_question_shows_a_neutral_reply_beside_another_and_never_says_which(
    version: VectorVersion, other: Any
) -> None:
    question = blind_question(rater=other, version=version)

    assert question is not None
    assert (question.number, question.total, question.trait) == (1, 48, "formal")
    assert any(text.startswith("plain") for text in (question.left, question.right))


def test_blind_plan_of_two_raters_differs_and_is_the_same_when_asked_again(
    version: VectorVersion, owner: Any, other: Any
) -> None:
    assert blind_plan(rater=other, version=version) != blind_plan(rater=owner, version=version)
    assert blind_plan(rater=other, version=version) == blind_plan(rater=other, version=version)


def test_blind_answer_of_someone_who_sees_the_trait_passes(version: VectorVersion, other: Any) -> None:
    answer_all(other, version, always_right)

    found = conclusion_json(blind_conclusion(version=version))
    assert (found["metric"]["verdict"], found["decided"], found["metric"]["value"]) == ("pass", 40, 1.0)
    assert (found["false_alarms"], found["raters"]) == (0.0, 1)


def test_blind_answer_of_someone_who_always_takes_the_left_does_not_pass(
    version: VectorVersion, other: Any
) -> None:
    answer_all(other, version, lambda question: "left")

    found = blind_conclusion(version=version)
    assert (found.left_out, found.decided, found.metric.verdict) == (1, 0, "insufficient")


def test_blind_answer_is_given_once_and_in_order(version: VectorVersion, other: Any) -> None:
    blind_answer(rater=other, version=version, number=1, answer="tie")

    for number in (1, 3):
        with pytest.raises(ConflictError, match="is not the next one, 2 is"):
            blind_answer(rater=other, version=version, number=number, answer="left")


@pytest.mark.parametrize(("number", "answer"), [(0, "tie"), (49, "tie"), (1, "both"), (1, "")])
def test_blind_answer_of_no_such_comparison_or_word_is_refused(
    version: VectorVersion, other: Any, number: int, answer: str
) -> None:
    with pytest.raises(InvalidError):
        blind_answer(rater=other, version=version, number=number, answer=answer)


def test_blind_answer_never_changes(version: VectorVersion, other: Any) -> None:
    row = blind_answer(rater=other, version=version, number=1, answer="tie")

    for change in (lambda: BlindAnswer.objects.filter(pk=row.pk).update(answer="left"), row.delete):
        with pytest.raises((InternalError, ProgrammingError), match="Cannot"), transaction.atomic():
            change()


def test_blind_question_of_a_version_without_replies_says_what_to_do(owner: Any) -> None:
    row = make_vector_version(owner=owner)
    row.report = {}

    with pytest.raises(NotFoundError, match="evaluate it at tier standard"):
        blind_question(rater=make_user("lex"), version=row)
