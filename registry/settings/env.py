"""The environment, read and checked once. Nothing else in the project reads `os.environ` for settings."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class S3Config:
    """Where blobs go when they do not go to a folder."""

    bucket: str
    endpoint_url: str | None
    region: str
    access_key_id: str
    secret_access_key: str
    # Where users reach the same server; None where that is the address above.
    public_endpoint_url: str | None = None


def required(name: str) -> str:
    """The value of an environment variable that has no default.

    Raises:
        ImproperlyConfigured: it is missing or empty; the message names it.
    """
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"the environment variable {name} is missing; see docs/operations.md")
    return value


def optional(name: str, default: str) -> str:
    """The value of an environment variable, or a default when it is missing or empty."""
    return os.environ.get(name) or default


def listed(name: str, default: str = "") -> list[str]:
    """A comma-separated environment variable as a list without empty items."""
    return [item.strip() for item in optional(name, default).split(",") if item.strip()]


def seconds(name: str, default: float) -> float:
    """A positive number of seconds.

    Raises:
        ImproperlyConfigured: not a positive number.
    """
    text = optional(name, str(default))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise ImproperlyConfigured(f"{name} is {text!r}; expected a positive number of seconds")
    return value


def port(name: str, default: int) -> int:
    """A TCP port.

    Raises:
        ImproperlyConfigured: not a whole number from 1 to 65535.
    """
    text = optional(name, str(default))
    if not re.fullmatch(r"[1-9]\d{0,4}", text, flags=re.ASCII) or int(text) > 65_535:
        raise ImproperlyConfigured(f"{name} is {text!r}; expected a port from 1 to 65535")
    return int(text)


def rate(name: str, default: str) -> str | None:
    """A number of requests per time, such as `300/min`; `off` gives None.

    Raises:
        ImproperlyConfigured: neither.
    """
    text = optional(name, default)
    if text == "off":
        return None
    if not re.fullmatch(r"[1-9]\d{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)", text):
        raise ImproperlyConfigured(f"{name} is {text!r}; expected a rate such as 300/min, or off")
    return text


def s3_config() -> S3Config | None:
    """The S3 settings when `S3_BUCKET` names a bucket, else None and blobs go to a folder."""
    bucket = os.environ.get("S3_BUCKET")
    if not bucket:
        return None
    return S3Config(
        bucket=bucket,
        endpoint_url=os.environ.get("S3_ENDPOINT_URL") or None,
        region=optional("S3_REGION", "us-east-1"),
        access_key_id=required("S3_ACCESS_KEY_ID"),
        secret_access_key=required("S3_SECRET_ACCESS_KEY"),
        public_endpoint_url=os.environ.get("S3_PUBLIC_ENDPOINT_URL") or None,
    )


def chosen(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of a few words.

    Raises:
        ImproperlyConfigured: another word.
    """
    text = optional(name, default)
    if text not in choices:
        raise ImproperlyConfigured(f"{name} is {text!r}; expected one of {', '.join(choices)}")
    return text


def data_folder() -> Path:
    """The folder of the embedded stack: databases, blobs, logs."""
    return Path(optional("BEARING_DATA", str(ROOT / ".bearing")))
