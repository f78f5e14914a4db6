"""Datasets and runs of a registry, as methods. `hub` puts all nouns together."""

import json
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from steering_core.client.connection import Connection, given, plain_id
from steering_core.client.event_stream import MEDIA_TYPE, read_events
from steering_core.client.http import FormFile, Json, Request
from steering_core.client.incoming import Progress
from steering_core.client.references import parse_dataset, parse_name
from steering_core.client.saving import save
from steering_core.client.uploading import IN_PARTS_BYTES, send_file
from steering_core.errors import ClientError, NotFoundError, UnreachableError

TERMINAL_STATES = frozenset({"succeeded", "failed", "cancelled", "timed_out"})
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


class Work(Connection):
    """What can be done with datasets, base models and runs."""

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
        progress: Progress | None = None,
    ) -> Json:
        """Upload a file of contrastive pairs, or two files zipped by line, as the next version of a dataset.

        The same pairs as in the newest version give that version again. `created` says which it was. Files of
        more than 8 MiB go in parts, and what arrived of them is not sent again.
        """
        place = {"name": name} | given({"visibility": visibility, "description": description})
        if len(data) + len(negative or b"") > IN_PARTS_BYTES:
            sent = {"upload": send_file(self.client, data, "dataset", filename, progress)}
            if negative is not None:
                sent["negative_upload"] = send_file(self.client, negative, "dataset", "", progress)
            request = Request("POST", "/datasets", body=place | sent, repeatable=True)
        else:
            files = _form_files(data, filename, negative)
            request = Request("POST", "/datasets", form=place, files=files, repeatable=True)
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
        return self._post("/runs", given(fields), key=key)

    def migration_start(self, source: str, *, base_model: str, vector: str, tier: str = "standard") -> Json:
        """Queue the move of a version to another base model, where it is measured anew; its run."""
        body = {"source": source, "base_model": base_model, "vector": vector, "tier": tier}
        return self._post("/migrations", body, key=str(uuid.uuid4()))

    def import_start(
        self,
        data: bytes,
        *,
        filename: str,
        base_model: str,
        dataset: str,
        vector: str,
        direction: str = "",
        tier: str = "standard",
        progress: Progress | None = None,
    ) -> Json:
        """Upload a vector file of any form that is read, and queue its import; its run.

        Args:
            dataset: pairs about its trait, to measure it with.
            vector: `owner/name`; a name alone is the token owner's.
            direction: which of the file's directions, such as `resid_post.3`; empty where it has one.
            progress: told how many bytes have arrived, and of how many.
        """
        parse_dataset(dataset)
        owner, name = parse_name(vector if "/" in vector else f"{self.whoami()['username']}/{vector}")
        upload = send_file(self.client, data, "vector", filename, progress)
        body = {"upload": upload, "base_model": base_model, "dataset": dataset, "tier": tier}
        path = f"/vectors/{owner}/{name}/import"
        return self._post(path, body | given({"direction": direction}), key=str(uuid.uuid4()))

    def run(self, run_id: str) -> Json:
        """A run as it is now."""
        return dict(self.client.get(f"/runs/{plain_id(run_id)}"))

    def run_list(self, *, limit: int = 50) -> list[Json]:
        """The token owner's runs, newest first."""
        return self._pages("/runs", {}, limit)

    def run_cancel(self, run_id: str) -> Json:
        """Cancel a run; cancelling twice is no error."""
        return self._post(f"/runs/{plain_id(run_id)}/cancel", {}, repeatable=True)

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
        path = f"/runs/{plain_id(run_id)}/statistics"
        size = int(kept["size_bytes"])
        save(self.client, path, str(kept["digest"]), size, Path(file), progress=self._progress)
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
                for update in self._updates(run_id, after):
                    heard = time.monotonic()
                    after = str(update.events[-1]["id"]) if update.events else after
                    yield update
                    if update.run["state"] in TERMINAL_STATES:
                        return
            except ClientError as error:
                outage = (
                    isinstance(error, UnreachableError) or error.status == 429 or (error.status or 0) >= 500
                )
                if not outage or time.monotonic() - heard > patience_seconds:
                    raise
            time.sleep(poll_seconds)

    def _updates(self, run_id: str, after: str) -> Iterator[RunUpdate]:
        """The run now and as it goes on, for as long as the registry streams it; once where it does not."""
        run = self.run(run_id)
        path = f"/runs/{plain_id(run_id)}/events"
        accept = {"Accept": f"{MEDIA_TYPE}, application/json;q=0.5"}
        request = Request("GET", path, given({"after": after}), headers=accept)
        with self.client.streamed(request) as response:
            if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
                yield from _streamed(response.iter_lines())
                return
            events = list(self.client.json_of(response)["items"])
        if len(events) >= EVENTS_PAGE:
            events += self._events(run_id, str(events[-1]["id"]))
        yield RunUpdate(run, events)

    def _events(self, run_id: str, after: str) -> list[Json]:
        events: list[Json] = []
        while True:
            page = self.client.get(f"/runs/{plain_id(run_id)}/events", given({"after": after}))["items"]
            events += page
            if len(page) < EVENTS_PAGE:
                return events
            after = str(page[-1]["id"])


def _streamed(lines: Iterable[str]) -> Iterator[RunUpdate]:
    """Each time that the stream shows the run, with the lines of its log that came before."""
    events: list[Json] = []
    for sent in read_events(lines):
        if sent.name == "log":
            events.append(json.loads(sent.data))
        elif sent.name == "run":
            yield RunUpdate(json.loads(sent.data), events)
            events = []


def _form_files(data: bytes, filename: str, negative: bytes | None) -> dict[str, FormFile]:
    files = {"file": (filename or "pairs", data, "application/octet-stream")}
    if negative is not None:
        files["negative_file"] = ("negative", negative, "application/octet-stream")
    return files
