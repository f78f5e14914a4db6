"""Where webhooks may lead. Every way to write an inner address is one of these."""

import socket
from typing import Any

import pytest
from django.test import override_settings

from registry.webhooks import targets
from registry.webhooks.sending import Message, post
from registry.webhooks.targets import TargetError, is_public, target_of

INNER = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.1.2.3", "172.16.0.1", "172.31.255.255"),
    *("192.168.1.1", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "168.63.129.16"),
    *("192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1"),
    *("::ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2001:0:7f00:1::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1"),
    *("ff02::1", "2001:db8::1", "100::1", "not an address", ""),
]
# Numbers that resolvers take for 127.0.0.1, 169.254.169.254 or 10.0.0.1, and names for this machine.
INNER_HOSTS = [
    *("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "2852039166", "0xA9FEA9FE", "localhost"),
    *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "169.254.169.254", "10.0.0.1", "127.0.0.1."),
]
OTHER_FORMS = [
    *("", "hooks", "//example.org/", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/"),
    *("http://", "http:///x", "http://example.org:22/", "http://example.org:99999/", "http://example.org:x/"),
    *("http://user:pass@example.org/", "http://example.org@127.0.0.1/", "http://example.org/#x"),
    *("http://exa mple.org/", "http://example.org/\r\nX: y", "http://example.org\\@127.0.0.1/"),
    *("http://ex\u0430mple.org/", "http://[::1", "http://example.org/" + "x" * 500),
]


@pytest.mark.parametrize("address", INNER)
def test_inner_address_is_not_public(address: str) -> None:

    assert not is_public(address)


def test_public_addresses_are_public() -> None:
    assert all(
        map(is_public, ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "100.128.0.1"])
    )


@override_settings(WEBHOOK_ALLOW_PRIVATE=False)
@pytest.mark.parametrize("host", INNER_HOSTS)
def test_inner_host_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(TargetError) as caught:
        target_of(f"http://{host}/")
    # The same words as for a name that leads nowhere, so that nobody reads the inner name server with it.
    assert "does not lead to public addresses alone" in caught.value.message


@pytest.mark.parametrize("url", OTHER_FORMS)
def test_other_form_is_refused_before_anything_is_looked_up(url: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(targets, "_looked_up", lambda *_: pytest.fail("looked up"))
    with pytest.raises(TargetError):
        target_of(url)


@override_settings(WEBHOOK_SCHEMES=("https",))
def test_production_takes_https_alone() -> None:
    with pytest.raises(TargetError, match="begins with https://"):
        target_of("http://example.org/")


@override_settings(WEBHOOK_ALLOW_PRIVATE=False)
def test_one_inner_address_among_public_ones_is_enough_to_refuse(monkeypatch: Any) -> None:
    monkeypatch.setattr(targets, "_looked_up", lambda *_: ("8.8.8.8", "10.0.0.1"))
    with pytest.raises(TargetError):
        target_of("https://example.org/")


@override_settings(WEBHOOK_ALLOW_PRIVATE=False)
def test_name_is_looked_up_once_and_never_again_for_the_connection(receiver: Any, monkeypatch: Any) -> None:
    """DNS rebinding: the first answer is public, every later one is this machine."""
    port = int(receiver.url.partition("127.0.0.1:")[2].partition("/")[0])
    answers = iter(["192.0.2.1"])
    asked: list[str] = []
    monkeypatch.setattr(targets, "is_public", lambda _: True)

    def rebinding(host: str, port: int, *_: Any, **__: Any) -> Any:
        asked.append(host)
        address = next(answers, "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected: list[str] = []

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    outcome = post(Message(f"http://rebind.example:{port}/", {}, b"{}"))

    assert (asked, connected) == (["rebind.example"], ["192.0.2.1"])
    assert (outcome.status, outcome.error) == (None, "the connection failed (ConnectError)")
    assert not receiver.got
