"""A signed-in client of acme, and one of somebody else."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.test import Client

    from registry.accounts.models import User


@pytest.fixture
def acme(db: None) -> "User":
    from tests.factories import make_user

    return make_user("acme")


@pytest.fixture
def signed_in(acme: "User") -> "Client":
    return client_of(acme)


@pytest.fixture
def stranger(db: None) -> "Client":
    from tests.factories import make_user

    return client_of(make_user("lex"))


def client_of(user: "User") -> "Client":
    from django.test import Client

    client = Client()
    client.force_login(user)
    return client
