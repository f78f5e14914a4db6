"""Reading tokens."""

from typing import Any

import pytest

from registry.accounts.selectors import token_list
from registry.accounts.services import token_create, token_revoke
from tests.factories import make_token

pytestmark = pytest.mark.django_db


def test_token_list_leaves_out_revoked_and_foreign(owner: Any, other: Any) -> None:
    make_token(other)
    revoked, _ = token_create(user=owner, name="old", scopes=["read"])
    kept, _ = token_create(user=owner, name="new", scopes=["read"])
    token_revoke(user=owner, token_id=str(revoked.pk))
    assert list(token_list(user=owner)) == [kept]
