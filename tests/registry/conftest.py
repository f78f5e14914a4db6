"""Users of the service. Factories are imported inside: a conftest may be read before Django is set up."""

from typing import Any

import pytest


@pytest.fixture
def owner(db: None) -> Any:
    from tests.factories import make_user

    return make_user()


@pytest.fixture
def other(db: None) -> Any:
    from tests.factories import make_user

    return make_user("mallory")
