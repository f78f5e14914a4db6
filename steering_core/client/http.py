"""One HTTP client for a registry: token, time limits, retries.

`hub` says what to ask, `refusals` what a refusal means. The token goes to the registry's own origin only,
and stands in no message.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from importlib import metadata
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx

from steering_core.client.config import Config, is_loopback
from steering_core.client.refusals import problem_of, refusal
from steering_core.errors import ClientError, UnreachableError

API = "/api/v1"
MAX_JSON_BYTES = 32 * 1024 * 1024
MAX_REDIRECTS = 5
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
# The registry reads and judges a dataset before it answers.
UPLOAD_TIMEOUT = httpx.Timeout(120.0, connect=10.0)
RETRIED_STATUSES = frozenset({429, 502, 503, 504})

Json = dict[str, Any]
T = TypeVar("T")
FormFile = tuple[str, bytes, str]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long; seconds. The pause before try n is a random part of first_pause * 2^(n-1)."""

    attempts: int = 4
    first_pause: float = 0.5
    longest_pause: float = 8.0
    longest_retry_after: float = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `repeatable` says that sending it twice does no more than sending it once."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FormFile] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON of a successful response, and its HTTP status."""

    body: Any
    status: int


class RegistryClient:
    """Sends requests to one registry. Use as a context manager, or call `close`."""

    def __init__(self, config: Config, retries: Retries | None = None) -> None:
        self.endpoint = config.endpoint
        self._base = config.endpoint + API
        self._token = config.token
        self._retries = retries or Retries()
        self._http = httpx.Client(
            headers={"User-Agent": user_agent(), "Accept": "application/json"},
            timeout=TIMEOUT,
            follow_redirects=False,
            # A proxy of the environment cannot reach this machine's own addresses.
            trust_env=not is_loopback(config.endpoint),
        )

    def __enter__(self) -> "RegistryClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON at a path below /api/v1.

        Raises:
            ClientError: refused, unreachable, or no JSON.
        """
        return self.ask(Request("GET", path, query or {}, repeatable=True)).body

    def ask(self, request: Request) -> Answer:
        """The JSON that answers a request, with its status.

        Raises:
            ClientError: refused, unreachable, or no JSON.
        """

        def read(response: httpx.Response) -> Answer:
            return Answer(self.json_of(response), response.status_code)

        return self.fetch(request, read, elsewhere=False)

    def fetch(
        self,
        request: Request,
        read: Callable[[httpx.Response], T],
        *,
        elsewhere: bool,
        more_headers: Callable[[], Mapping[str, str]] = dict,
    ) -> T:
        """What `read` makes of the successful response and its body; tried again when that breaks off.

        Args:
            elsewhere: whether a redirect may lead to another host (without the token), as downloads do.
            more_headers: asked before each try, so that a download goes on where the last one broke off.

        Raises:
            ClientError: refused, or unreachable after all attempts.
        """
        attempt = 1
        while True:
            try:
                with closing(self._send(request, more_headers(), elsewhere)) as response:
                    if response.is_success:
                        return read(response)
                    pause = self._pause_after(request, response, attempt)
                    if pause is None:
                        problem = problem_of(response, _read_all)
                        wait = _retry_after(response.headers.get("Retry-After", ""))
                        raise refusal(response, problem, self.endpoint, retry_seconds=wait)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                # Nothing was sent when no connection came about, so any request may be tried again.
                unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if attempt >= self._retries.attempts or not (request.repeatable or unsent):
                    raise self._unreachable(error) from error
                pause = self._pause(attempt)
            time.sleep(pause)
            attempt += 1

    def json_of(self, response: httpx.Response) -> Any:
        """The JSON that a response holds.

        Raises:
            ClientError: it holds none.
        """
        try:
            return json.loads(_read_all(response))
        except ValueError as error:
            raise self._no_registry(response) from error

    @contextmanager
    def streamed(self, request: Request) -> Iterator[httpx.Response]:
        """The successful response while its body still comes; asked once.

        Raises:
            ClientError: refused, or unreachable, also when it breaks off within the block.
        """
        try:
            with closing(self._send(request, {}, False)) as response:
                if not response.is_success:
                    wait = _retry_after(response.headers.get("Retry-After", ""))
                    problem = problem_of(response, _read_all)
                    raise refusal(response, problem, self.endpoint, retry_seconds=wait)
                yield response
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error

    def put_elsewhere(self, url: str, data: bytes) -> None:
        """PUT bytes at a signed address of an object store, without the token; tried again as any request.

        Raises:
            ClientError: refused, `client.store_refused` with its status, or unreachable.
        """
        for attempt in range(1, self._retries.attempts + 1):
            try:
                response = self._http.put(url, content=data, timeout=UPLOAD_TIMEOUT)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                if attempt == self._retries.attempts:
                    raise UnreachableError(
                        f"the object store at {_origin(url)} cannot be reached ({type(error).__name__}); try "
                        "again, what arrived is kept"
                    ) from error
            else:
                if response.is_success:
                    return
                if response.status_code not in RETRIED_STATUSES or attempt == self._retries.attempts:
                    raise ClientError(
                        f"the object store at {_origin(url)} answered {response.status_code} to a part; try "
                        "again, what arrived is kept",
                        code="client.store_refused",
                        status=response.status_code,
                    )
            time.sleep(self._pause(attempt))

    def _send(self, request: Request, more: Mapping[str, str], elsewhere: bool) -> httpx.Response:
        headers = {**request.headers, **more}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        response = self._http.send(
            self._http.build_request(
                request.method,
                self._base + request.path,
                params=dict(request.query) or None,
                json=request.body,
                data=dict(request.form) or None,
                files=dict(request.files) or None,
                content=request.content or None,
                headers=headers,
                timeout=UPLOAD_TIMEOUT if request.files or request.content else TIMEOUT,
            ),
            stream=True,
        )
        for _ in range(MAX_REDIRECTS):
            if not response.is_redirect:
                return response
            target = self._redirect_target(request, response, elsewhere)
            if not same_origin(target, self.endpoint):
                headers.pop("Authorization", None)
            response.close()
            response = self._http.send(self._http.build_request("GET", target, headers=headers), stream=True)
        if response.is_redirect:
            response.close()
            raise ClientError(f"{self.endpoint} redirects in circles", code="client.redirect")
        return response

    def _redirect_target(self, request: Request, response: httpx.Response, elsewhere: bool) -> str:
        target = _joined(str(response.url), str(response.headers.get("Location", "")))
        leads_away = not same_origin(target, self.endpoint)
        downgrades = str(response.url).startswith("https:") and not target.startswith("https:")
        known = urlsplit(target).scheme in ("http", "https")
        if request.method != "GET" or not known or downgrades or (leads_away and not elsewhere):
            response.close()
            raise ClientError(
                f"{self.endpoint} redirects {request.method} {request.path} to {_origin(target)}, which is "
                "not followed; set BEARING_ENDPOINT to the address that the registry itself uses",
                code="client.redirect",
                status=response.status_code,
            )
        return target

    def _pause(self, attempt: int) -> float:
        ceiling = min(self._retries.longest_pause, self._retries.first_pause * 2 ** (attempt - 1))
        return random.uniform(ceiling / 2, ceiling)

    def _pause_after(self, request: Request, response: httpx.Response, attempt: int) -> float | None:
        """Seconds to wait before the next try, or None when another try makes no sense."""
        again = request.repeatable and attempt < self._retries.attempts
        if not again or response.status_code not in RETRIED_STATUSES:
            return None
        wanted = _retry_after(response.headers.get("Retry-After", ""))
        if wanted is None:
            # Without a time to wait for, 429 is a quota that time alone does not lift.
            return None if response.status_code == 429 else self._pause(attempt)
        return None if wanted > self._retries.longest_retry_after else wanted

    def _unreachable(self, error: Exception) -> UnreachableError:
        what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
        return UnreachableError(
            f"{self.endpoint} {what} ({type(error).__name__}); "
            "see that the registry runs, or set BEARING_ENDPOINT"
        )

    def _no_registry(self, response: httpx.Response) -> ClientError:
        return ClientError(
            f"{self.endpoint} answered something that is no JSON; see that BEARING_ENDPOINT is the address "
            "of a Bearing registry",
            code="client.bad_answer",
            status=response.status_code,
        )


def user_agent() -> str:
    """`bearing/0.1.0 httpx/0.28.1`."""
    try:
        own = metadata.version("bearing")
    except metadata.PackageNotFoundError:
        own = "0"
    return f"bearing/{own} httpx/{httpx.__version__}"


def same_origin(url: str, other: str) -> bool:
    """Whether scheme, host and port are the same."""
    return _origin(url) == _origin(other)


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "an invalid address"
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _joined(base: str, location: str) -> str:
    """Where a redirect leads; nowhere if that is no address."""
    try:
        target = urljoin(base, location)
        return target if urlsplit(target).hostname else ""
    except ValueError:
        return ""


def _read_all(response: httpx.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_JSON_BYTES:
            raise ClientError(
                f"the answer is larger than {MAX_JSON_BYTES:,} bytes; it was not read",
                code="client.bad_answer",
            )
        parts.append(part)
    return b"".join(parts)


def _retry_after(value: str) -> float | None:
    """Seconds from now; the header holds seconds or a date."""
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
