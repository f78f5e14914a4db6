"""Where the registry is, who asks, and where things are kept.

Arguments come first, then BEARING_*, then credentials.json, which `bearing login` writes.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from steering_core.errors import ClientError

DEFAULT_ENDPOINT = "http://localhost:8000"
CREDENTIALS = "credentials.json"
Mode = Literal["auto", "prefer_offline", "offline"]
MODES: tuple[str, ...] = get_args(Mode)
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Config:
    """What a client needs to know; `token` is empty for anonymous reading and never shown.

    Attributes:
        mode: `auto` asks what may have moved, and takes exact versions and digests from the cache;
            `prefer_offline` asks only for what the cache knows nothing of; `offline` asks nothing.
    """

    endpoint: str
    home: Path
    mode: Mode = "auto"
    token: str = field(default="", repr=False)

    @property
    def offline(self) -> bool:
        """Whether nothing but the cache is asked."""
        return self.mode == "offline"


def load_config(
    endpoint: str | None = None,
    token: str | None = None,
    home: Path | str | None = None,
    offline: bool | None = None,
    *,
    mode: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """The configuration: each value from its argument, else from the environment, else its default.

    Raises:
        ClientError: the endpoint, the token or the mode cannot be meant, or `offline` and `mode` contradict
            each other.
    """
    place = normal_endpoint(endpoint or environment.get("BEARING_ENDPOINT") or DEFAULT_ENDPOINT)
    folder = Path(home or environment.get("BEARING_HOME") or _default_home(environment)).expanduser()
    secret = token if token is not None else environment.get("BEARING_TOKEN", "")
    if token is None and not secret:
        secret = stored_tokens(folder).get(place, "")
    return Config(
        endpoint=place,
        home=folder,
        mode=_mode(offline, mode, environment),
        token=check_token(secret) if secret else "",
    )


def normal_endpoint(text: str) -> str:
    """`http://localhost:8000`: scheme and host in lower case, no slash at the end.

    Raises:
        ClientError: no http or https address, or one with a user, a query or a fragment.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    plain = re.fullmatch(r"https?://[^@?#\s\\]+", text.strip(), re.ASCII | re.IGNORECASE)
    if not (plain and host and text.isascii()):
        raise ClientError(
            f"{_without_secrets(text)!a} is no address of a registry; expected for example "
            f"{DEFAULT_ENDPOINT}",
            code="client.endpoint",
        )
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def is_loopback(endpoint: str) -> bool:
    """Whether the registry runs on this machine."""
    return urlsplit(endpoint).hostname in _LOOPBACK


def check_token(text: str) -> str:
    """The token without the line end that a file or a pipe put after it.

    Raises:
        ClientError: it holds what no token holds; the text itself is not repeated.
    """
    token = text.strip()
    if not token or len(token) > 500 or not token.isascii() or not token.isprintable() or " " in token:
        raise ClientError(
            "this is no API token; copy the whole token that the settings page showed, in one line",
            code="client.token",
        )
    return token


def stored_tokens(home: Path) -> dict[str, str]:
    """endpoint -> token, as `bearing login` left them; empty where nobody logged in.

    Raises:
        ClientError: the file is there but is not what was written.
    """
    file = home / CREDENTIALS
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ClientError(
            f"{file} cannot be read ({type(error).__name__}); remove it and run bearing login again",
            code="client.credentials",
        ) from error
    if not isinstance(stored, dict) or not all(isinstance(value, str) for value in stored.values()):
        raise ClientError(f"{file} is damaged; remove it and log in again", code="client.credentials")
    return stored


def store_token(home: Path, endpoint: str, token: str | None) -> bool:
    """Keep a token for an endpoint, or forget it when None; says whether one had been there.

    Raises:
        ClientError: the folder cannot be written to.
    """
    tokens = stored_tokens(home)
    existed = endpoint in tokens
    tokens.pop(endpoint, None)
    if token is not None:
        tokens[endpoint] = token
    try:
        home.mkdir(parents=True, exist_ok=True)
        _write_private(home / CREDENTIALS, json.dumps(tokens, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise ClientError(
            f"the token cannot be kept in {home}: {error.strerror}; set BEARING_HOME to a folder of your "
            "own, or BEARING_TOKEN instead",
            code="client.credentials",
        ) from error
    return existed


def _write_private(file: Path, text: str) -> None:
    """Readable by its owner only, from the first byte on."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _default_home(environment: Mapping[str, str]) -> Path:
    cache = environment.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative paths ignored.
    return (Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache") / "bearing"


def _mode(offline: bool | None, mode: str | None, environment: Mapping[str, str]) -> Mode:
    """What the arguments say, or where there are none, what the environment says."""
    names = "offline", "mode"
    if offline is None and mode is None:
        names = "BEARING_OFFLINE", "BEARING_DOWNLOAD_MODE"
        offline = _switch(environment)
        mode = environment.get("BEARING_DOWNLOAD_MODE", "").strip().lower() or None
    if mode is not None and mode not in MODES:
        raise ClientError(f"{names[1]} is {mode[:20]!a}; expected {' or '.join(MODES)}", code="client.config")
    if mode is None:
        return "offline" if offline else "auto"
    if offline is not None and offline != (mode == "offline"):
        raise ClientError(
            f"{names[0]} says {'' if offline else 'not '}offline and {names[1]} says {mode}; set one of them",
            code="client.config",
        )
    return cast(Mode, mode)


def _switch(environment: Mapping[str, str]) -> bool | None:
    value = environment.get("BEARING_OFFLINE", "").strip().lower()
    if value not in _YES | _NO:
        raise ClientError(f"BEARING_OFFLINE is {value[:20]!a}; expected 1 or 0", code="client.config")
    return value in _YES if value else None


def _without_secrets(text: str) -> str:
    return text.rpartition("@")[2][:100]
