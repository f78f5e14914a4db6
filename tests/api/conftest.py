"""Callers of the REST interface: nobody, an owner, another user, and a token that may only read.

Factories are imported inside the fixtures: a conftest beside the tests may be read before Django is set up.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client


class Api:
    """Django's test client with a token and the prefix of the interface."""

    def __init__(self, user: Any = None, token: str = "") -> None:
        self.user = user
        self.token = token
        self.client = Client(headers={"Authorization": f"Bearer {token}"} if token else {})

    def get(self, path: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        return self.client.get(f"/api/v1{path}", query, headers=headers)

    def head(self, path: str) -> Any:
        return self.client.head(f"/api/v1{path}")

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)

    def patch(self, path: str, body: Any) -> Any:
        return self.send("PATCH", path, body)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        url = f"/api/v1{path}"
        return self.client.generic(method, url, data, "application/json", headers=headers)

    def upload(self, path: str, **fields: Any) -> Any:
        """A multipart form; a file is an object with `read`."""
        return self.client.post(f"/api/v1{path}", fields)


@pytest.fixture
def caller(db: None) -> Callable[..., Api]:
    """`caller("name")` signs a user up; `scopes` narrows the token."""
    from registry.accounts.models import User
    from tests.factories import make_token, make_user

    def make(username: str, scopes: tuple[str, ...] = ("read", "write")) -> Api:
        user = User.objects.filter(username=username).first() or make_user(username)
        return Api(user, make_token(user, scopes))

    return make


@pytest.fixture
def nobody(db: None) -> Api:
    return Api()


@pytest.fixture
def owner(caller: Callable[..., Api]) -> Api:
    return caller("acme")


@pytest.fixture
def other(caller: Callable[..., Api]) -> Api:
    return caller("mallory")


@pytest.fixture
def reader(caller: Callable[..., Api], owner: Api) -> Api:
    """The owner with a token that may only read."""
    return caller("acme", ("read",))


@pytest.fixture
def blob_path() -> Callable[[str], Path]:
    """Where the bytes of a digest lie in the folder of this test session."""
    from django.conf import settings

    from registry.storage.blobs import blob_key

    return lambda sha256: Path(settings.BLOB_STORE_PATH) / blob_key(sha256)
