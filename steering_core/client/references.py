"""What people type to name a vector or a dataset, and nothing else.

What is parsed here is safe in paths and URLs.

acme/formality                    the newest released version
acme/formality@1.2.0              one version, for good
acme/formality@stable             the version that its publisher gave this alias, which may move
acme/formality@sha256:<64 hex>    the version with these bytes
sha256:<64 hex>                   these bytes, whoever published them
preset:acme/warm@1.0.0            a preset; by version, digest, or the newest
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from steering_core.errors import ClientError

LATEST = "latest"
PRESET = "preset:"
_SLUG = r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_DIGEST = r"sha256:[0-9a-f]{64}"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}")
# Nothing that could be taken for a version, a part of a digest, or `latest`; the registry has the same rule.
_ALIAS = r"(?!(?:latest|main|[0-9a-f]+)(?![a-z0-9-]))[a-z](?:[a-z0-9-]{0,62}[a-z0-9])?"
_NAME = re.compile(rf"({_SLUG})/({_SLUG})")
_BARE_DIGEST = re.compile(_DIGEST)
_REFERENCE = re.compile(rf"({_SLUG})/({_SLUG})(?:@({LATEST}|{_VERSION.pattern}|{_DIGEST}|{_ALIAS}))?")
_PRESET = re.compile(rf"(?:{PRESET})?({_SLUG})/({_SLUG})(?:@({LATEST}|{_VERSION.pattern}|{_DIGEST}))?")
_DATASET = re.compile(rf"({_SLUG})/({_SLUG})(?:@([1-9][0-9]{{0,8}}))?")


class ReferenceSyntaxError(ClientError):
    """What was typed names nothing."""

    default_code = "client.reference"


@dataclass(frozen=True, slots=True)
class Reference:
    """A version of a vector or a preset: by name and selector (version, digest, alias, `latest`); a vector's
    also by digest alone.
    """

    owner: str
    name: str
    selector: str
    kind: Literal["vector", "preset"] = "vector"

    def __str__(self) -> str:
        if not self.owner:
            return self.selector
        suffix = "" if self.selector == LATEST else f"@{self.selector}"
        return f"{PRESET if self.kind == 'preset' else ''}{self.owner}/{self.name}{suffix}"

    def at(self, selector: str) -> "Reference":
        """The same name with another selector."""
        return replace(self, selector=selector)

    @property
    def digest(self) -> str | None:
        """`sha256:…` when the reference itself says which bytes are meant."""
        return self.selector if self.selector.startswith("sha256:") else None

    @property
    def is_latest(self) -> bool:
        """Whether the reference moves when a new version is released."""
        return self.selector == LATEST

    @property
    def is_moving(self) -> bool:
        """Whether it may name another version tomorrow: `latest` and aliases do."""
        return self.digest is None and not _VERSION.fullmatch(self.selector)


def parse_reference(text: str) -> Reference:
    """A vector reference in one of the five forms above.

    Raises:
        ReferenceSyntaxError: it has none of them.
    """
    if _BARE_DIGEST.fullmatch(text):
        return Reference("", "", text)
    if match := _REFERENCE.fullmatch(text):
        return Reference(match[1], match[2], match[3] or LATEST)
    raise ReferenceSyntaxError(
        f"{text[:100]!a} names no vector; expected owner/name, owner/name@1.0.0, owner/name@stable, "
        "owner/name@sha256:<64 hex digits> or sha256:<64 hex digits>"
    )


def parse_preset(text: str) -> Reference:
    """`owner/name`, `owner/name@1.0.0` or `owner/name@sha256:…`, with or without `preset:` before it.

    Raises:
        ReferenceSyntaxError: it is not of that form.
    """
    if match := _PRESET.fullmatch(text):
        return Reference(match[1], match[2], match[3] or LATEST, "preset")
    raise ReferenceSyntaxError(
        f"{text[:100]!a} names no preset; expected preset:owner/name, preset:owner/name@1.0.0 or "
        "preset:owner/name@sha256:<64 hex digits>"
    )


def parse_any(text: str) -> Reference:
    """A preset if `preset:` stands before it, else a vector.

    Raises:
        ReferenceSyntaxError: it is neither.
    """
    return parse_preset(text) if text.startswith(PRESET) else parse_reference(text)


def reference_of(target: str) -> str:
    """A vector reference in place of a file that is not there.

    Raises:
        ReferenceSyntaxError: it is no reference either.
    """
    try:
        return str(parse_reference(target))
    except ReferenceSyntaxError as error:
        raise ReferenceSyntaxError(f"there is no file {target!a}, and {error.message}") from error


def parse_name(text: str) -> tuple[str, str]:
    """`owner/name`.

    Raises:
        ReferenceSyntaxError: it is not of that form.
    """
    if match := _NAME.fullmatch(text):
        return match[1], match[2]
    raise ReferenceSyntaxError(
        f"{text[:100]!a} is no name; expected owner/name in lower-case letters, digits and inner hyphens"
    )


def parse_version(text: str) -> str:
    """`MAJOR.MINOR.PATCH`.

    Raises:
        ReferenceSyntaxError: it is not of that form.
    """
    if _VERSION.fullmatch(text):
        return text
    raise ReferenceSyntaxError(
        f"{text[:40]!a} is no version; expected MAJOR.MINOR.PATCH without leading zeros, such as 1.0.0"
    )


def parse_dataset(text: str) -> tuple[str, str, int | None]:
    """`owner/name` or `owner/name@3` -> (owner, name, number or None for the newest).

    Raises:
        ReferenceSyntaxError: it is not of that form.
    """
    if match := _DATASET.fullmatch(text):
        return match[1], match[2], int(match[3]) if match[3] else None
    raise ReferenceSyntaxError(f"{text[:100]!a} names no dataset; expected owner/name or owner/name@1")
