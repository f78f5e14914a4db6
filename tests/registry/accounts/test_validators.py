"""Usernames are slugs that mean nothing else here."""

import pytest
from django.core.exceptions import ValidationError

from registry.accounts.adapter import AccountAdapter
from registry.accounts.models import User
from registry.accounts.validators import validate_owner_name


@pytest.mark.parametrize("name", ["a", "acme", "a-b-c", "0x", "a" * 64])
def test_slug_is_accepted(name: str) -> None:
    validate_owner_name(name)


@pytest.mark.parametrize(
    "name", ["", "A", "a_b", "-a", "a-", "a.b", "a/b", "a b", "é", "a" * 65, "a\n", "a\0"]
)
def test_what_is_no_slug_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        validate_owner_name(name)


@pytest.mark.parametrize("name", ["api", "datasets", "admin", "vectors", "new", "healthz"])
def test_word_of_the_service_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        validate_owner_name(name)


@pytest.mark.django_db
def test_user_model_carries_the_validators() -> None:
    with pytest.raises(ValidationError) as error:
        User(username="API", email="a@example.org", password="x").full_clean()
    assert "username" in error.value.message_dict


@pytest.mark.django_db
def test_signup_lowers_the_username() -> None:
    assert AccountAdapter().clean_username("Acme") == "acme"
