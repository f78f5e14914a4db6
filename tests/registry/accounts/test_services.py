"""Tokens: shown once, kept as a digest, checked without a query when they cannot be right."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from registry.accounts.models import ApiToken
from registry.accounts.services import token_authenticate, token_create, token_revoke
from registry.audit.models import AuditEvent
from registry.core.errors import InvalidError, NotAllowedError, NotAuthenticatedError, NotFoundError
from tests.factories import make_token

pytestmark = pytest.mark.django_db


def refusal(text: str) -> str:
    """The code with which a text is refused."""
    with pytest.raises(NotAuthenticatedError) as error:
        token_authenticate(text=text)
    return error.value.code


def test_create_gives_a_text_that_is_kept_nowhere(owner: Any) -> None:
    token, text = token_create(user=owner, name=" laptop ", scopes=["write", "read", "read"])
    assert text.startswith("brg_")
    assert len(text) == 42
    assert (token.name, token.scopes, token.prefix) == ("laptop", ["read", "write"], text[:9])
    assert text not in str(vars(token))
    assert str(token) == f"{text[:9]}… (laptop)"


def test_texts_differ(owner: Any) -> None:
    assert len({make_token(owner) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": " "}, "token.name_invalid"),
        ({"name": "x" * 81}, "token.name_invalid"),
        ({"scopes": []}, "token.scope_invalid"),
        ({"scopes": ["admin"]}, "token.scope_invalid"),
        ({"expires_at": timezone.now()}, "token.expiry_invalid"),
    ],
)
def test_create_with_bad_field_is_refused(owner: Any, change: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidError) as error:
        token_create(**{"user": owner, "name": "laptop", "scopes": ["read"], **change})
    assert error.value.code == code


def test_authenticate_finds_the_token_and_notes_its_use(owner: Any) -> None:
    found = token_authenticate(text=make_token(owner))
    assert found.user == owner
    assert ApiToken.objects.get().last_used_at is not None


def test_authenticate_writes_once_a_minute(owner: Any, django_assert_num_queries: Any) -> None:
    text = make_token(owner)
    with django_assert_num_queries(2):
        token_authenticate(text=text)
    with django_assert_num_queries(1):
        token_authenticate(text=text)


@pytest.mark.parametrize("text", ["", "brg_", "brg_" + "a" * 38, "ghp_" + "a" * 38, "brg_\0", "é" * 42])
def test_authenticate_with_wrong_checksum_asks_no_database(text: str, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert refusal(text) == "token.invalid"


def test_authenticate_with_one_changed_letter_is_refused(owner: Any) -> None:
    text = make_token(owner)
    for place in range(len(text)):
        assert refusal(text[:place] + "~" + text[place + 1 :]) == "token.invalid"


def test_text_with_a_right_checksum_that_was_never_given_out_is_refused(owner: Any) -> None:
    text = make_token(owner)
    ApiToken.objects.all().delete()
    assert refusal(text) == "token.invalid"


def test_expired_token_is_refused(owner: Any) -> None:
    text = make_token(owner)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refusal(text) == "token.expired"


def test_token_of_a_closed_account_is_refused(owner: Any) -> None:
    text = make_token(owner)
    type(owner).objects.update(is_active=False)
    assert refusal(text) == "token.user_inactive"


def test_revoked_token_is_refused_and_revoking_twice_is_no_error(owner: Any) -> None:
    token, text = token_create(user=owner, name="laptop", scopes=["read"])
    for _ in range(2):
        token_revoke(user=owner, token_id=str(token.pk))
    assert refusal(text) == "token.revoked"
    assert AuditEvent.objects.filter(action="token.revoked", subject=token.prefix).count() == 1


def test_revoke_of_another_users_token_is_not_found(owner: Any, other: Any) -> None:
    token, text = token_create(user=owner, name="laptop", scopes=["read"])
    with pytest.raises(NotFoundError):
        token_revoke(user=other, token_id=str(token.pk))
    assert token_authenticate(text=text).pk == token.pk


@pytest.mark.parametrize("token_id", ["x", "", "\0", "00000000-0000-0000-0000-000000000000"])
def test_revoke_of_nothing_is_not_found(owner: Any, token_id: str) -> None:
    with pytest.raises(NotFoundError):
        token_revoke(user=owner, token_id=token_id)


def test_a_token_that_asks_gives_no_more_than_it_has(owner: Any) -> None:
    soon = timezone.now() + timedelta(days=1)
    later = soon + timedelta(seconds=1)
    maker, _ = token_create(user=owner, name="maker", scopes=["read", "manage"], expires_at=soon)

    with pytest.raises(NotAllowedError):
        token_create(user=owner, name="more", scopes=["write"], made_with=maker)
    with pytest.raises(InvalidError):
        token_create(user=owner, name="longer", scopes=["read"], expires_at=later, made_with=maker)
    row, _ = token_create(user=owner, name="heir", scopes=["read"], made_with=maker)
    assert row.expires_at == soon
