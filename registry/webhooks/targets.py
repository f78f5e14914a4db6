"""Where webhooks may lead: to addresses of the public internet alone, so that nobody makes the service speak
to what only it can reach (SSRF).

A host is looked up once for each attempt, and `sending` connects to the addresses that were checked here, so
that a name which changes between look and connection (DNS rebinding) gains nothing.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from registry.core.errors import InvalidError

MAX_URL = 500
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What Python takes for global, differently from version to version, and what is of the inside all the same:
# IETF protocol assignments, relays into IPv4, and the host services of Azure.
_INNER = [
    ipaddress.ip_network(text)
    for text in (
        *("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
]
# All of IPv6 that has been given out for the public internet; NAT64 and what embeds IPv4 lie outside.
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")


class TargetError(InvalidError):
    """A webhook may not lead there."""

    default_code = "webhook.url_refused"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was checked, taken apart, and the addresses to connect to, in order of preference."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]


def target_of(url: str) -> Target:
    """Look a URL's host up and check all of it.

    Raises:
        TargetError: not a URL that webhooks may have, or its host is not, or not only, on the public
            internet. It never says what the host was looked up as.
    """
    parts, port = _parsed(url)
    host = str(parts.hostname)
    addresses = _looked_up(host, port)
    if not addresses or not (settings.WEBHOOK_ALLOW_PRIVATE or all(map(is_public, addresses))):
        raise TargetError(
            f"the host {host!r} does not lead to public addresses alone; webhooks are sent to hosts on the "
            "public internet",
            fields={"url": "host not on the public internet"},
        )
    path = parts.path or "/"
    return Target(parts.scheme, host, port, f"{path}?{parts.query}" if parts.query else path, addresses)


def is_public(text: str) -> bool:
    """Whether an IP address belongs to the public internet, whatever form it is written in."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            address = address.ipv4_mapped
        elif address not in _PUBLIC_IPV6:
            return False
    is_inner = any(address in network for network in _INNER if network.version == address.version)
    return address.is_global and not (address.is_multicast or address.is_reserved or is_inner)


def _parsed(url: str) -> tuple[SplitResult, int]:
    """The parts of a URL and its port, by form alone."""
    # The characters of RFC 3986; a parser that skips others reads another URL than the one that was checked.
    if len(url) > MAX_URL or not re.fullmatch(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", url):
        raise _refused(f"expected at most {MAX_URL} characters of a URL, other scripts percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("expected a URL such as https://example.org/hooks") from None
    if parts.scheme not in settings.WEBHOOK_SCHEMES or not parts.hostname:
        raise _refused(f"expected a URL that begins with {' or '.join(settings.WEBHOOK_SCHEMES)}://")
    if "@" in parts.netloc or "#" in url:
        raise _refused("expected one without user, password and fragment; put what is secret in the query")
    port = port if port is not None else {"http": 80, "https": 443}[parts.scheme]
    if port not in (80, 443) and port < 1024:
        raise _refused(f"port {port} belongs to another service; expected 80, 443, or one from 1024 on")
    return parts, port


def _refused(expected: str) -> TargetError:
    return TargetError(f"webhooks cannot be sent there: {expected}", fields={"url": "refused"})


def _looked_up(host: str, port: int) -> tuple[str, ...]:
    """All addresses of a host, each once; none where the name leads nowhere."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
