"""One file on its way in: its bytes are counted and summed as they arrive, and a broken download goes on.

`cache` and `saving` say where the bytes go, and keep them only after `Incoming.check`.
"""

import hashlib
from collections.abc import Callable
from typing import BinaryIO

import httpx

from steering_core.client.http import RegistryClient, Request
from steering_core.errors import ClientError, DigestMismatchError
from steering_core.spec import digest_hex

# (bytes so far, bytes in all or 0 where nobody said)
Progress = Callable[[int, int], None]


class Incoming:
    """The bytes so far, in a stream that can be emptied.

    Attributes:
        size: how many bytes there are.
        validator: the strong ETag of the answer that they came from; empty where it had none.
    """

    def __init__(self, stream: BinaryIO, named: str, most_bytes: int) -> None:
        self._stream = stream
        self._named = named
        self._most_bytes = most_bytes
        self._summed = hashlib.sha256()
        self.size = 0
        self.validator = ""

    def write(self, chunk: bytes) -> None:
        """Add what arrived.

        Raises:
            DigestMismatchError: it is more than the file can have.
        """
        self.size += len(chunk)
        if self.size > self._most_bytes:
            raise DigestMismatchError(
                f"more than {self._most_bytes:,} bytes came for {self._named}; nothing was kept. "
                "If trying again does not help, tell the registry"
            )
        self._summed.update(chunk)
        self._stream.write(chunk)

    def restart(self) -> None:
        """Forget all bytes."""
        self._stream.seek(0)
        self._stream.truncate()
        self._summed = hashlib.sha256()
        self.size, self.validator = 0, ""

    def check(self) -> None:
        """Refuse other bytes than those that the digest promises.

        Raises:
            DigestMismatchError: their digest is another.
        """
        if self._summed.hexdigest() != digest_hex(self._named):
            raise DigestMismatchError(
                f"the {self.size:,} bytes that came are sha256:{self._summed.hexdigest()}, not "
                f"{self._named} as promised; nothing was kept. "
                "If trying again does not help, tell the registry"
            )


def download(
    client: RegistryClient,
    path: str,
    into: Incoming,
    *,
    accept: str = "*/*",
    progress: Progress | None = None,
) -> None:
    """Fetch what stands at a path below /api/v1.

    A try that breaks off is followed by one that asks for the rest only (`Range`), if the file is still the
    same one (`If-Range`), on whichever host it lies.

    Raises:
        DigestMismatchError: more bytes came than the file can have.
        ClientError: refused, or unreachable after all tries.
    """
    # A compressed transfer would hide the bytes that the digest is about.
    headers = {"Accept": accept, "Accept-Encoding": "identity"}
    request = Request("GET", path, headers=headers, repeatable=True)

    def rest() -> dict[str, str]:
        if not (into.size and into.validator):
            return {}
        return {"Range": f"bytes={into.size}-", "If-Range": into.validator}

    def read(response: httpx.Response) -> None:
        if response.status_code != 206:
            into.restart()
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {into.size}-"):
            raise ClientError(
                f"{path} was answered with another part of the file than the one asked for",
                code="client.bad_answer",
            )
        into.validator = _validator(response)
        total = into.size + int(response.headers.get("Content-Length", "0") or 0)
        for chunk in response.iter_bytes():
            into.write(chunk)
            if progress is not None:
                progress(into.size, total)

    try:
        client.fetch(request, read, elsewhere=True, more_headers=rest)
    except ClientError as error:
        if error.status != 416:
            raise
        # All bytes were there already, or the file shrank: once more, from the start.
        into.restart()
        client.fetch(request, read, elsewhere=True, more_headers=rest)


def _validator(response: httpx.Response) -> str:
    etag = str(response.headers.get("ETag", ""))
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    return "" if etag.startswith("W/") or encoded else etag
