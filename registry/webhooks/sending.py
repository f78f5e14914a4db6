"""One POST to a webhook: to the addresses that were checked, in bounded time, without following redirects.

httpcore and not httpx, since it lets us say where to connect, with the URL's own name in `Host` and in TLS,
and how long each read may still take. Nothing here touches the database: attempts run in threads.
"""

import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpcore

from registry.webhooks.targets import Target, TargetError, target_of

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
# Of an answer, what is read, and what is kept.
READ_BYTES = 64 * 1024
EXCERPT_CHARACTERS = 1024
USER_AGENT = "Bearing-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Message:
    """What to send where."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: a status, or None and the error that kept it from coming."""

    status: int | None
    latency_ms: int
    error: str = ""
    excerpt: str = ""
    retry_after_seconds: float = 0.0

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300


def post(message: Message) -> Outcome:
    """Send a message once; whatever goes wrong is an outcome too."""
    started = time.monotonic()
    error, status, excerpt, pause = "", None, "", 0.0
    try:
        target = target_of(message.url)
        status, headers, data = _exchange(target, message, Deadline(started + TOTAL_SECONDS))
        # PostgreSQL keeps no NUL in a text.
        excerpt = data.decode(errors="replace").replace("\0", "\ufffd")[:EXCERPT_CHARACTERS]
        pause = _retry_after(headers)
    except TargetError as refusal:
        error = refusal.message
    except httpcore.TimeoutException:
        error = "no whole answer came in time"
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as fault:
        error = _said(fault)
    latency_ms = round((time.monotonic() - started) * 1000)
    return Outcome(status, latency_ms, error[:200], excerpt, pause)


def _said(fault: Exception) -> str:
    """What kind of fault it was; its own text may name what was connected to."""
    if "certificate" in str(fault).lower():
        return "its TLS certificate is not valid for this host"
    return f"the connection failed ({type(fault).__name__})"


def _exchange(
    target: Target, message: Message, deadline: "Deadline"
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    url = httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.path.encode(),
    )
    headers = {
        **message.headers,
        "Host": _host_header(target),
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    backend = PinnedBackend(target.addresses, deadline)
    with (
        httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend) as pool,
        pool.stream("POST", url, headers=list(headers.items()), content=message.body) as response,
    ):
        data = b""
        for part in response.iter_stream():
            data += part
            if len(data) >= READ_BYTES:
                break
        return response.status, response.headers, data[:READ_BYTES]


@cache
def _tls() -> ssl.SSLContext:
    """Certificates are checked; read once, since the authorities are a file of some hundred kilobytes."""
    return httpcore.default_ssl_context()


def _host_header(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == {"http": 80, "https": 443}[target.scheme] else f"{host}:{target.port}"


def _retry_after(headers: list[tuple[bytes, bytes]]) -> float:
    """Seconds from now; 0 where the header is missing or means nothing."""
    text = next((value.decode("latin-1") for name, value in headers if name.lower() == b"retry-after"), "")
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return 0.0


class Deadline:
    """The moment at which all of an attempt has to be over."""

    def __init__(self, at: float) -> None:
        self.at = at

    def left(self, most: float | None = None) -> float:
        """Seconds that are left, at most so many.

        Raises:
            httpcore.ReadTimeout: none are.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for all of it is over")
        return left if most is None else min(most, left)


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the given addresses whatever the host is called, one after the other."""

    def __init__(self, addresses: tuple[str, ...], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        until = time.monotonic() + CONNECT_SECONDS
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses:
            seconds = self._deadline.left(until - time.monotonic())
            if seconds <= 0:
                break
            try:
                return TimedStream(self._real.connect_tcp(address, port, timeout=seconds), self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class TimedStream(httpcore.NetworkStream):
    """A connection of which every step ends at the deadline, so that no receiver keeps us with a byte now and
    then.
    """

    def __init__(self, real: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._real = real
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._real.read(max_bytes, timeout=self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._real.write(buffer, timeout=self._deadline.left(timeout))

    def close(self) -> None:
        self._real.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            seconds = self._deadline.left(CONNECT_SECONDS)
            return TimedStream(self._real.start_tls(ssl_context, server_hostname, seconds), self._deadline)
        except Exception:
            # The pool does not know of this connection yet, so nobody else closes it.
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._real.get_extra_info(info)
