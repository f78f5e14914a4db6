"""`Hub`: what a registry can do, as methods. The CLI is made of it; `pulling` brings vectors in.

Answers of the registry are its JSON objects as they come, described in docs/openapi.json.
"""

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from steering_core.client import pulling
from steering_core.client.cache import Cache
from steering_core.client.config import load_config
from steering_core.client.http import FormFile, Json, RegistryClient, Request, Retries, UnreachableError
from steering_core.client.pulling import Pulled
from steering_core.client.references import (
    Reference,
    ReferenceSyntaxError,
    parse_dataset,
    parse_name,
    parse_reference,
    parse_version,
)
from steering_core.client.saving import save
from steering_core.errors import ClientError, NotFoundError
from steering_core.vector import SteeringVector

TERMINAL_STATES = frozenset({"succeeded", "failed", "cancelled", "timed_out"})
PAGE = 100
# A page of events at least this long may not be the last.
EVENTS_PAGE = 50


@dataclass(frozen=True, slots=True)
class Extraction:
    """What to extract; `publish_version` and what follows publish the result at once."""

    dataset: str
    base_model: str
    vector: str
    method: str = "mean_difference"
    site: str = "resid_post"
    pooling: str = "auto"
    tier: str = "standard"
    publish_version: str = ""
    license: str = ""
    visibility: str = ""


@dataclass(frozen=True, slots=True)
class RunUpdate:
    """A run as it is now, and the events since the update before, oldest first."""

    run: Json
    events: list[Json]


class Hub:
    """One registry and one cache. Use as a context manager, or call `close`.

    Args:
        endpoint: the registry's address; BEARING_ENDPOINT if None.
        token: an API token; BEARING_TOKEN if None, else what `bearing login` kept.
        home: the cache folder; BEARING_HOME if None.
        offline: ask nothing but the cache; BEARING_OFFLINE if None.
        retries: how patient to be with a registry that does not answer.

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
        retries: Retries | None = None,
    ) -> None:
        self._retries = retries
        self.config = load_config(endpoint, token, home, offline)
        self.cache = Cache(self.config.home, self.config.endpoint)

    def __enter__(self) -> "Hub":
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
                "BEARING_OFFLINE is set: only the cache can be used; unset it for everything else",
                code="client.offline",
            )
        return self._client

    # --- vectors ---

    def pull(self, reference: str) -> SteeringVector:
        """A verified vector, from the cache or the registry.

        Raises:
            NotFoundError: no such version for this token.
            DigestMismatchError: the bytes are not what was promised; nothing was kept.
            FormatError: the file is no Bearing vector.
        """
        return self.pull_file(reference).vector

    def pull_file(self, reference: str) -> Pulled:
        """As `pull`, with the digest, the version and the path of the cached file."""
        client = None if self.config.offline else self._client
        return pulling.pull(parse_reference(reference), self.cache, client)

    def conformance(self, reference: str) -> bytes:
        """The verified certificate of a version, from the cache or the registry: what an engine must do with
        the vector. `steering_core.formats.conformance.read_certificate` reads it.

        Raises:
            NotFoundError: no such version for this token, or it has no certificate.
            DigestMismatchError: the bytes are not what was promised; nothing was kept.
        """
        client = None if self.config.offline else self._client
        return pulling.pull_conformance(parse_reference(reference), self.cache, client)

    def search(
        self,
        query: str = "",
        *,
        owner: str = "",
        base_model: str = "",
        verdict: str = "",
        grade: str = "",
        mine: bool = False,
        limit: int = 50,
    ) -> list[Json]:
        """Vectors with a released version, newest first; `mine` gives the token owner's, drafts and all."""
        wanted = {"q": query, "owner": owner, "base_model": base_model, "verdict": verdict, "grade": grade}
        return self._pages("/vectors", wanted | {"mine": "1" if mine else ""}, limit)

    def show(self, reference: str) -> Json:
        """A version with its report. A name without a release gives its owner the newest extracted draft.

        Raises:
            NotFoundError: no such version for this token.
        """
        asked = parse_reference(reference)
        if not asked.owner:
            raise ReferenceSyntaxError(f"{asked} names a file only; give owner/name or owner/name@{asked}")
        try:
            return dict(self.client.get(f"{_vector_path(asked)}/versions/{asked.selector}"))
        except NotFoundError:
            draft = self._newest_draft(asked) if asked.is_latest else None
            if draft is None:
                raise
            return draft

    def version(self, version_id: str) -> Json:
        """A version by its row id; the token owner's drafts too."""
        return dict(self.client.get(f"/versions/{_plain_id(version_id)}"))

    def versions(self, name: str, *, limit: int = 100) -> list[Json]:
        """The versions of a vector, highest first; the owner's drafts come before them."""
        owner, vector = parse_name(name)
        return self._pages(f"/vectors/{owner}/{vector}/versions", {}, limit)

    def publish(
        self, name: str, *, version: str, license: str, visibility: str = "", draft_id: str = ""
    ) -> Json:
        """Release an extracted draft for good: the newest, unless `draft_id` says which."""
        owner, vector = parse_name(name)
        body = {"version": parse_version(version), "license": license}
        body |= _given({"visibility": visibility, "draft_id": draft_id})
        return self._post(f"/vectors/{owner}/{vector}/publish", body)

    def yank(self, name: str, *, version: str, reason: str) -> Json:
        """Warn everybody off a released version; it stays downloadable by exact version and digest."""
        owner, vector = parse_name(name)
        path = f"/vectors/{owner}/{vector}/versions/{parse_version(version)}/yank"
        return self._post(path, {"reason": reason})

    def unyank(self, name: str, *, version: str) -> Json:
        """Take a yank back."""
        owner, vector = parse_name(name)
        return self._post(f"/vectors/{owner}/{vector}/versions/{parse_version(version)}/unyank", {})

    # --- datasets ---

    def dataset_push(
        self,
        data: bytes,
        *,
        name: str,
        filename: str = "",
        negative: bytes | None = None,
        visibility: str = "",
        description: str = "",
    ) -> Json:
        """Upload a file of contrastive pairs, or two files zipped by line, as the next version of a dataset.

        The same pairs as in the newest version give that version again. `created` says which it was.
        """
        request = Request(
            "POST",
            "/datasets",
            form={"name": name} | _given({"visibility": visibility, "description": description}),
            files=_form_files(data, filename, negative),
            repeatable=True,
        )
        answer = self.client.ask(request)
        return {**answer.body, "created": answer.status == 201}

    def dataset_list(self, *, query: str = "", owner: str = "", limit: int = 50) -> list[Json]:
        """Datasets that the token may see."""
        return self._pages("/datasets", {"q": query, "owner": owner}, limit)

    def dataset_show(self, reference: str) -> Json:
        """A dataset with its versions, or one version with its report for `owner/name@number`."""
        owner, name, number = parse_dataset(reference)
        path = f"/datasets/{owner}/{name}"
        return dict(self.client.get(path if number is None else f"{path}/versions/{number}"))

    # --- base models and runs ---

    def base_models(self) -> list[Json]:
        """Base model revisions that the registry can extract on."""
        listed = self.client.get("/base-models")
        return list(listed["items"] if isinstance(listed, dict) else listed)

    def extraction_start(self, extraction: Extraction, *, idempotency_key: str = "") -> Json:
        """Queue an extraction and return its run. The same key with the same request gives the same run."""
        parse_dataset(extraction.dataset)
        fields = {name: getattr(extraction, name) for name in extraction.__slots__}
        key = idempotency_key or str(uuid.uuid4())
        return self._post("/runs", _given(fields), key=key)

    def migration_start(self, source: str, *, base_model: str, vector: str, tier: str = "standard") -> Json:
        """Queue the move of a version to another base model, where it is measured anew; its run."""
        body = {"source": source, "base_model": base_model, "vector": vector, "tier": tier}
        return self._post("/migrations", body, key=str(uuid.uuid4()))

    def run(self, run_id: str) -> Json:
        """A run as it is now."""
        return dict(self.client.get(f"/runs/{_plain_id(run_id)}"))

    def run_list(self, *, limit: int = 50) -> list[Json]:
        """The token owner's runs, newest first."""
        return self._pages("/runs", {}, limit)

    def run_cancel(self, run_id: str) -> Json:
        """Cancel a run; cancelling twice is no error."""
        return self._post(f"/runs/{_plain_id(run_id)}/cancel", {}, repeatable=True)

    def run_statistics(self, run_id: str, file: Path | str) -> Json:
        """Write the activations that a run kept to a file, verified; {digest, size_bytes} of it.

        `steering_core.extraction.statistics.Statistics` reads it, `derive` makes directions of it.

        Raises:
            NotFoundError: no such run for this token, or it kept none.
            DigestMismatchError: the bytes are not what was promised; nothing was kept.
        """
        kept = self.run(run_id).get("statistics")
        if not kept:
            raise NotFoundError(
                f"run {run_id} has no statistics: it has not succeeded, or they were too large to be kept",
                code="run.no_statistics",
            )
        path = f"/runs/{_plain_id(run_id)}/statistics"
        save(self.client, path, str(kept["digest"]), int(kept["size_bytes"]), Path(file))
        return dict(kept)

    def run_wait(
        self, run_id: str, *, poll_seconds: float = 1.0, patience_seconds: float = 120.0
    ) -> Iterator[RunUpdate]:
        """Updates of a run until it has ended, however it ended; the last one has the final state.

        A registry that does not answer for up to `patience_seconds` is waited for.

        Raises:
            ClientError: the registry refused, or was out of reach for longer.
        """
        after, heard = "", time.monotonic()
        while True:
            try:
                run = self.run(run_id)
                events = self._events(run_id, after)
            except ClientError as error:
                outage = isinstance(error, UnreachableError) or (error.status or 0) >= 500
                if not outage or time.monotonic() - heard > patience_seconds:
                    raise
            else:
                heard = time.monotonic()
                after = str(events[-1]["id"]) if events else after
                yield RunUpdate(run, events)
                if run["state"] in TERMINAL_STATES:
                    return
            time.sleep(poll_seconds)

    # --- the token ---

    def whoami(self) -> Json:
        """Whose token this is: {username, scopes}."""
        return dict(self.client.get("/me"))

    def _events(self, run_id: str, after: str) -> list[Json]:
        events: list[Json] = []
        while True:
            page = self.client.get(f"/runs/{_plain_id(run_id)}/events", _given({"after": after}))["items"]
            events += page
            if len(page) < EVENTS_PAGE:
                return events
            after = str(page[-1]["id"])

    def _newest_draft(self, asked: Reference) -> Json | None:
        try:
            rows = self.versions(f"{asked.owner}/{asked.name}")
        except NotFoundError:
            return None
        best = sorted(rows, key=lambda row: row.get("state") != "extracted")
        return self.version(str(best[0]["id"])) if best else None

    def _post(self, path: str, body: Json, *, key: str = "", repeatable: bool = False) -> Json:
        headers = {"Idempotency-Key": key} if key else {}
        request = Request("POST", path, body=body, headers=headers, repeatable=repeatable or bool(key))
        return dict(self.client.ask(request).body)

    def _pages(self, path: str, query: Mapping[str, str], limit: int) -> list[Json]:
        items: list[Json] = []
        wanted = _given(dict(query)) | {"limit": str(min(limit, PAGE))}
        while True:
            page = self.client.get(path, wanted)
            items += page["items"]
            if len(items) >= limit or not page.get("next_cursor"):
                return items[:limit]
            wanted["cursor"] = str(page["next_cursor"])


def pull(
    reference: str,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    home: Path | str | None = None,
    offline: bool | None = None,
) -> SteeringVector:
    """A verified vector in one line: `pull("acme/formality@1.0.0")`. See `Hub.pull` and `Hub`."""
    with Hub(endpoint, token, home, offline) as hub:
        return hub.pull(reference)


def _vector_path(reference: Reference) -> str:
    return f"/vectors/{reference.owner}/{reference.name}"


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _form_files(data: bytes, filename: str, negative: bytes | None) -> dict[str, FormFile]:
    files = {"file": (filename or "pairs", data, "application/octet-stream")}
    if negative is not None:
        files["negative_file"] = ("negative", negative, "application/octet-stream")
    return files


def _plain_id(text: str) -> str:
    """An id as the registry gives them, safe in a path.

    Raises:
        ReferenceSyntaxError: it is no id.
    """
    if text.isascii() and text.replace("-", "").isalnum() and len(text) <= 64:
        return text
    raise ReferenceSyntaxError(
        f"{text[:60]!a} is no id; expected what the registry showed, letters and digits"
    )
