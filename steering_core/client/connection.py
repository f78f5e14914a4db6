"""One registry and one cache: settings, connections, and how JSON is asked for. `hub` adds what to ask."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from steering_core.client.cache import Cache
from steering_core.client.config import load_config
from steering_core.client.http import Json, RegistryClient, Request, Retries
from steering_core.client.incoming import Progress
from steering_core.client.references import ReferenceSyntaxError
from steering_core.client.resolving import Source
from steering_core.errors import ClientError

PAGE = 100


class Connection:
    """One registry and one cache. Use as a context manager, or call `close`.

    Args:
        endpoint: the registry's address; BEARING_ENDPOINT if None.
        token: an API token; BEARING_TOKEN if None, else what `bearing login` kept.
        home: the cache folder; BEARING_HOME if None.
        offline: ask nothing but the cache; the same as `mode="offline"`. BEARING_OFFLINE if None.
        mode: `auto`, `prefer_offline` or `offline`; see `Config`. BEARING_DOWNLOAD_MODE if None.
        retries: how patient to be with a registry that does not answer.
        progress: told how many bytes of a file there are, and of how many.

    Raises:
        ClientError: one of these cannot be meant.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        token: str | None = None,
        home: Path | str | None = None,
        offline: bool | None = None,
        *,
        mode: str | None = None,
        retries: Retries | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._retries = retries
        self._progress = progress
        self.config = load_config(endpoint, token, home, offline, mode=mode)
        self.cache = Cache(self.config.home, self.config.endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the registry."""
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> RegistryClient:
        return RegistryClient(self.config, self._retries)

    @property
    def client(self) -> RegistryClient:
        """The HTTP client.

        Raises:
            ClientError: the hub is offline.
        """
        if self.config.offline:
            raise ClientError(
                "offline: only the cache can be used; unset BEARING_OFFLINE or BEARING_DOWNLOAD_MODE for "
                "everything else",
                code="client.offline",
            )
        return self._client

    @property
    def source(self) -> Source:
        """Where files come from: this hub's cache, and its registry unless it is offline."""
        client = None if self.config.offline else self._client
        return Source(self.cache, client, self.config.mode, self._progress)

    def whoami(self) -> Json:
        """Whose token this is: {username, scopes}."""
        return dict(self.client.get("/me"))

    def _post(self, path: str, body: Json, *, key: str = "", repeatable: bool = False) -> Json:
        headers = {"Idempotency-Key": key} if key else {}
        request = Request("POST", path, body=body, headers=headers, repeatable=repeatable or bool(key))
        return dict(self.client.ask(request).body)

    def _pages(self, path: str, query: Mapping[str, str], limit: int) -> list[Json]:
        items: list[Json] = []
        wanted = given(dict(query)) | {"limit": str(min(limit, PAGE))}
        while True:
            page = self.client.get(path, wanted)
            items += page["items"]
            if len(items) >= limit or not page.get("next_cursor"):
                return items[:limit]
            wanted["cursor"] = str(page["next_cursor"])


def given(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value}


def plain_id(text: str) -> str:
    """An id as the registry gives them, safe in a path.

    Raises:
        ReferenceSyntaxError: it is no id.
    """
    if text.isascii() and text.replace("-", "").isalnum() and len(text) <= 64:
        return text
    raise ReferenceSyntaxError(
        f"{text[:60]!a} is no id; expected what the registry showed, letters and digits"
    )
