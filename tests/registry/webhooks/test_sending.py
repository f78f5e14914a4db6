"""One attempt at a real server: what it is sent, and what of its answer counts."""

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpcore
import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from registry.embedded.valkey import free_port
from registry.webhooks import sending
from registry.webhooks.sending import Message, post
from registry.webhooks.signing import new_secret, signed_headers
from tests.receivers import Answer, Receiver


def message(url: str, body: bytes = b'{"a":1}') -> Message:
    return Message(url, {"webhook-id": "msg_1"}, body)


def test_signature_is_that_of_the_specification() -> None:
    """The example of the Standard Webhooks reference libraries."""
    key, stamp = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1614265330
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', [key], timestamp=stamp)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_either_secret_of_a_rotation_verifies_and_no_other() -> None:
    new, old, body = new_secret(), new_secret(), b'{"a":1}'
    headers = signed_headers("msg_1", body, [new, old], timestamp=int(time.time()))
    assert Verifier(new).verify(body, headers) == Verifier(old).verify(body, headers) == {"a": 1}
    for secret, sent in ((new_secret(), body), (new, b'{"a":2}')):
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify(sent, headers)


def test_post_carries_the_bytes_and_keeps_the_beginning_of_the_answer(receiver: Receiver) -> None:
    receiver.answers = [Answer(503, {"Retry-After": "120"}, b"\x00\xff" + b"x" * 5000)]

    outcome = post(message(receiver.url))

    headers, body = receiver.got[0]
    assert json.loads(body) == {"a": 1}
    assert (headers["content-type"], headers["webhook-id"]) == ("application/json", "msg_1")
    assert headers["host"] == receiver.url.split("/")[2]
    assert (outcome.status, outcome.is_delivered, outcome.retry_after_seconds) == (503, False, 120.0)
    assert outcome.excerpt == "\ufffd\ufffd" + "x" * 1022


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), ("-1", 0), ("soon", 0), ("", 0), ("9" * 30, 0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)],
)
def test_retry_after_of_any_form_is_read_or_passed_over(text: str, seconds: float) -> None:
    assert sending._retry_after([(b"Retry-After", text.encode())]) == seconds


def test_retry_after_may_be_a_date() -> None:
    text = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 50 < sending._retry_after([(b"retry-after", text.encode())]) <= 60


def test_redirect_is_an_answer_and_not_followed(receiver: Receiver) -> None:
    receiver.answers = [Answer(302, {"Location": receiver.url})]
    outcome = post(message(receiver.url))
    assert (outcome.status, outcome.is_delivered, len(receiver.got)) == (302, False, 1)


def test_receiver_that_hangs_is_left_at_the_deadline(
    silent_port: int, receiver: Receiver, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 0.3)
    receiver.answers = [Answer(hangs=True)]
    for url in (f"http://127.0.0.1:{silent_port}/", f"https://127.0.0.1:{silent_port}/", receiver.url):
        outcome = post(message(url))
        assert (outcome.status, outcome.error) == (None, "no whole answer came in time")
        assert 250 < outcome.latency_ms < 2000


def test_answer_without_end_is_cut(receiver: Receiver) -> None:
    receiver.answers = [Answer(200, {"Content-Length": str(10**9)}, b"y" * 100_000)]
    assert post(message(receiver.url)).is_delivered


def test_what_cannot_be_reached_or_read_is_an_outcome(receiver: Receiver) -> None:
    port = receiver.url.split("/")[2]
    assert "ConnectError" in post(message(f"http://127.0.0.1:{free_port()}/")).error
    # TLS where there is none.
    assert post(message(f"https://{port}/")).error.startswith("the connection failed")
    assert "does not lead to" in post(message("http://no-such-host.invalid/")).error


def test_deadline_that_passes_between_connection_and_tls_leaves_no_connection_open(
    silent_port: int, monkeypatch: Any
) -> None:
    backend = sending.PinnedBackend(("127.0.0.1",), sending.Deadline(time.monotonic() + 5))
    stream = backend.connect_tcp("localhost", silent_port)
    monkeypatch.setattr(stream, "_deadline", sending.Deadline(0.0))
    with pytest.raises(httpcore.ReadTimeout):
        stream.start_tls(sending._tls(), "localhost")
    assert stream.get_extra_info("socket").fileno() == -1
