"""What the HTTP client makes of faults: what it repeats, what it refuses, and where the token goes."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from steering_core.client.config import Config
from steering_core.client.http import RegistryClient, Request, Retries
from steering_core.errors import (
    ClientError,
    ConflictError,
    GatedError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    PaidError,
    RateLimitedError,
    RemovedError,
    UnreachableError,
    YankedError,
)

QUICK = Retries(attempts=3, first_pause=0.01, longest_pause=0.02)


@pytest.fixture
def client(server: Any, token: str, tmp_path: Path) -> Iterator[RegistryClient]:
    with RegistryClient(Config(server.url, tmp_path, token=token), QUICK) as made:
        yield made


def test_get_sends_token_and_user_agent(server: Any, client: RegistryClient, token: str) -> None:
    server.on("GET /me", {"username": "acme"})
    assert client.get("/me", {"a": "b c"}) == {"username": "acme"}
    assert server.asked() == ["/me?a=b+c"]
    assert server.seen[0].headers["Authorization"] == f"Bearer {token}"
    assert server.seen[0].headers["User-Agent"].startswith("bearing/")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_get_passing_fault_is_repeated(server: Any, client: RegistryClient, reply: Any, status: int) -> None:
    server.on("GET /me", reply(status=status), reply(status=status), {"username": "acme"})
    assert client.get("/me") == {"username": "acme"}
    assert len(server.seen) == 3


def test_get_lasting_fault_gives_up_with_the_servers_words(server: Any, client: RegistryClient) -> None:
    server.on("GET /me", server.problem(503, "unavailable", "the blob store is out of reach"))
    with pytest.raises(ClientError, match="the blob store is out of reach") as refused:
        client.get("/me")
    assert (refused.value.code, refused.value.status) == ("unavailable", 503)
    assert len(server.seen) == QUICK.attempts


def test_get_500_is_not_repeated_and_names_the_request(
    server: Any, client: RegistryClient, reply: Any
) -> None:
    server.on("GET /me", reply(b'{"detail": "it broke", "code": "internal", "request_id": "abc"}', 500))
    with pytest.raises(ClientError, match=r"it broke \(request abc\)"):
        client.get("/me")
    assert len(server.seen) == 1


def test_get_429_waits_as_long_as_it_is_told(server: Any, client: RegistryClient, reply: Any) -> None:
    server.on("GET /me", reply(status=429, headers={"Retry-After": "1"}), {"username": "acme"})
    started = time.monotonic()
    assert client.get("/me") == {"username": "acme"}
    assert time.monotonic() - started >= 1.0


def test_get_503_with_a_date_to_retry_after_is_understood(
    server: Any, client: RegistryClient, reply: Any
) -> None:
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    server.on("GET /me", reply(status=503, headers={"Retry-After": past}), {"username": "acme"})
    assert client.get("/me") == {"username": "acme"}


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3600"}])
def test_get_429_without_a_time_worth_waiting_fails_at_once(
    server: Any, client: RegistryClient, headers: dict[str, str]
) -> None:
    server.on("GET /me", server.problem(429, "run.quota", "5 of your runs wait", **headers))
    with pytest.raises(ClientError) as refused:
        client.get("/me")
    assert refused.value.code == "run.quota"
    assert len(server.seen) == 1


def test_ask_post_is_not_repeated_unless_it_is_repeatable(
    server: Any, client: RegistryClient, reply: Any
) -> None:
    server.on("POST /runs", reply(status=503), {"id": "1"})
    with pytest.raises(ClientError):
        client.ask(Request("POST", "/runs", body={}))
    assert len(server.seen) == 1


def test_ask_repeatable_post_sends_the_same_key_again(
    server: Any, client: RegistryClient, reply: Any
) -> None:
    server.on("POST /runs", reply(status=502), reply(b'{"id": "1"}', 202))
    request = Request("POST", "/runs", body={"a": 1}, headers={"Idempotency-Key": "k"}, repeatable=True)
    answer = client.ask(request)
    assert (answer.body, answer.status) == ({"id": "1"}, 202)
    assert [seen.headers["Idempotency-Key"] for seen in server.seen] == ["k", "k"]
    assert [seen.body for seen in server.seen] == [b'{"a":1}'] * 2


def test_get_body_that_breaks_off_is_asked_for_again(server: Any, client: RegistryClient, reply: Any) -> None:
    whole = b'{"username": "acme"}'
    server.on("GET /me", reply(whole, cut=5), reply(whole))
    assert client.get("/me") == {"username": "acme"}


def test_get_body_that_always_breaks_off_is_unreachable(
    server: Any, client: RegistryClient, reply: Any
) -> None:
    server.on("GET /me", reply(b'{"username": "acme"}', cut=5))
    with pytest.raises(UnreachableError):
        client.get("/me")
    assert len(server.seen) == QUICK.attempts


def test_get_nobody_listening_is_unreachable_and_says_where(tmp_path: Path, token: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        client = RegistryClient(Config(endpoint, tmp_path, token=token), QUICK)
        with client, pytest.raises(UnreachableError, match="BEARING_ENDPOINT") as refused:
            client.get("/me")
    assert refused.value.code == "client.unreachable"
    assert token not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "token.expired", NotAllowedError),
        (403, "some.code", NotAllowedError),
        (403, "access.gated", GatedError),
        (403, "access.purchase_required", PaidError),
        (404, "some.code", NotFoundError),
        (404, "alias.yanked", YankedError),
        (409, "some.code", ConflictError),
        (410, "removed.safety", RemovedError),
        (412, "precondition.failed", ConflictError),
        (422, "some.code", InvalidError),
        (429, "run.quota", RateLimitedError),
        (451, "removed.legal", RemovedError),
        (418, "some.code", ClientError),
    ],
)
def test_get_refusal_becomes_the_error_of_its_code_or_status(
    server: Any, client: RegistryClient, token: str, status: int, code: str, kind: type[ClientError]
) -> None:
    server.on("GET /me", server.problem(status, code, "because"))
    with pytest.raises(ClientError, match="because") as refused:
        client.get("/me")
    assert type(refused.value) is kind
    assert (refused.value.code, refused.value.status) == (code, status)
    assert token not in str(refused.value)


def test_get_refusal_says_where_to_ask_where_to_buy_and_how_long_to_wait(
    server: Any, client: RegistryClient
) -> None:
    server.on("GET /me", server.problem(429, "request.throttled", "slowly", **{"Retry-After": "3600"}))
    with pytest.raises(RateLimitedError) as throttled:
        client.get("/me")
    assert throttled.value.retry_seconds == 3600
    for code, member in (("access.gated", "request_url"), ("access.purchase_required", "purchase_url")):
        problem = server.problem(403, code, "no")
        problem.body = problem.body[:-1] + f', "{member}": "https://r.example/ask"}}'.encode()
        server.on("GET /me", problem)
        with pytest.raises(NotAllowedError) as refused:
            client.get("/me")
        assert getattr(refused.value, member) == "https://r.example/ask"


def test_get_refusal_without_a_body_takes_code_and_message_from_the_headers(
    server: Any, client: RegistryClient, reply: Any
) -> None:
    headers = {"X-Error-Code": "vector.not_found", "X-Error-Message": "no such vector"}
    server.on("GET /me", reply(b"<html>", 404, {"Content-Type": "text/html", **headers}))
    with pytest.raises(NotFoundError, match="no such vector") as refused:
        client.get("/me")
    assert refused.value.code == "vector.not_found"


def test_get_refusal_that_says_nothing_still_has_words(
    server: Any, client: RegistryClient, reply: Any
) -> None:
    server.on("GET /me", reply(b"", 418))
    with pytest.raises(ClientError, match=r"answered 418") as refused:
        client.get("/me")
    assert refused.value.code == "client.http_418"


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe", b'{"a":'])
def test_get_answer_that_is_no_json_points_to_the_endpoint(
    server: Any, client: RegistryClient, reply: Any, body: bytes
) -> None:
    server.on("GET /me", reply(body))
    with pytest.raises(ClientError, match="BEARING_ENDPOINT") as refused:
        client.get("/me")
    assert refused.value.code == "client.bad_answer"


def test_get_redirect_within_the_registry_is_followed(
    server: Any, client: RegistryClient, reply: Any
) -> None:
    server.on("GET /me", reply(status=302, headers={"Location": "/api/v1/you"}))
    server.on("GET /you", {"username": "acme"})
    assert client.get("/me") == {"username": "acme"}
    assert "Authorization" in server.seen[1].headers


def test_get_redirect_to_another_host_is_refused(
    server: Any, other_server: Any, client: RegistryClient, reply: Any
) -> None:
    server.on("GET /me", reply(status=302, headers={"Location": f"{other_server.url}/api/v1/me"}))
    with pytest.raises(ClientError) as refused:
        client.get("/me")
    assert refused.value.code == "client.redirect"
    assert other_server.seen == []


def test_fetch_download_redirect_goes_elsewhere_without_the_token(
    server: Any, other_server: Any, client: RegistryClient, reply: Any
) -> None:
    server.on("GET /blobs/x", reply(status=307, headers={"Location": f"{other_server.url}/api/v1/x?sig=1"}))
    other_server.on("GET /x", reply(b"bytes"))
    read = client.fetch(Request("GET", "/blobs/x", repeatable=True), lambda r: r.read(), elsewhere=True)
    assert read == b"bytes"
    assert "Authorization" not in other_server.seen[0].headers
    assert "Authorization" in server.seen[0].headers


def test_ask_post_is_never_redirected(server: Any, client: RegistryClient, reply: Any) -> None:
    server.on("POST /datasets", reply(status=308, headers={"Location": "/api/v1/other"}))
    with pytest.raises(ClientError) as refused:
        client.ask(Request("POST", "/datasets", body={}, repeatable=True))
    assert refused.value.code == "client.redirect"
    assert len(server.seen) == 1


@pytest.mark.parametrize("target", ["/api/v1/me", "file:///etc/passwd", "http://["])
def test_get_redirect_that_leads_nowhere_is_refused(
    server: Any, client: RegistryClient, reply: Any, target: str
) -> None:
    server.on("GET /me", reply(status=302, headers={"Location": target}))
    with pytest.raises(ClientError) as refused:
        client.get("/me")
    assert refused.value.code == "client.redirect"
