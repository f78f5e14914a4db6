"""Reports of leaked tokens: what is real is revoked and its owner told, whatever is reported beside it."""

from typing import Any

import pytest
from django.core import mail

from registry.accounts.models import ApiToken
from registry.accounts.services import leaked_tokens_revoke, token_authenticate
from registry.audit.models import AuditEvent
from registry.core.errors import NotAuthenticatedError
from tests.factories import make_token

pytestmark = pytest.mark.django_db

WRONG = ["brg_" + "a" * 38, "", "ghp_something", "brg_\0", "é"]


def test_real_tokens_are_revoked_and_their_owners_told(
    owner: Any, other: Any, django_capture_on_commit_callbacks: Any
) -> None:
    leaked, kept, foreign = make_token(owner), make_token(owner), make_token(other)
    with django_capture_on_commit_callbacks(execute=True):
        leaked_tokens_revoke(texts=[*WRONG, leaked, foreign, leaked])

    for text in (leaked, foreign):
        with pytest.raises(NotAuthenticatedError) as error:
            token_authenticate(text=text)
        assert error.value.code == "token.revoked"
    assert token_authenticate(text=kept).user == owner
    assert sorted(sent.to for sent in mail.outbox) == sorted([[owner.email], [other.email]])
    assert all(text not in sent.body for sent in mail.outbox for text in (leaked, foreign))
    events = AuditEvent.objects.filter(action="token.revoked")
    assert {(event.namespace, event.actor, event.data["reason"]) for event in events} == {
        (owner.username, "", "leaked"),
        (other.username, "", "leaked"),
    }


def test_a_second_report_tells_nobody_again(owner: Any, django_capture_on_commit_callbacks: Any) -> None:
    leaked = make_token(owner)
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            leaked_tokens_revoke(texts=[leaked])
    assert len(mail.outbox) == 1
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1


@pytest.mark.parametrize("texts", [WRONG[:1], WRONG, WRONG * 20])
def test_wrong_texts_cost_one_query_however_many(
    owner: Any, texts: list[str], django_assert_num_queries: Any
) -> None:
    make_token(owner)
    # The transaction is a savepoint here: two statements beside the query.
    with django_assert_num_queries(3):
        leaked_tokens_revoke(texts=texts)
    assert ApiToken.objects.filter(revoked_at=None).count() == 1
