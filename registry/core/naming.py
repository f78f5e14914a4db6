"""Names that people type: slugs, semantic versions, references. One regex each, used everywhere."""

import re
import uuid
from dataclasses import dataclass

from registry.core.errors import InvalidError
from steering_core.errors import FormatError
from steering_core.spec import digest_hex

SLUG = r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
SEMVER = r"(?:0|[1-9]\d{0,8})\.(?:0|[1-9]\d{0,8})\.(?:0|[1-9]\d{0,8})"
SLUG_PATTERN = re.compile(SLUG)
# A slug that begins with a letter and is taken for nothing else: no version, no hex digits (part of a digest
# or of a commit), no word that moves by itself here or for other clients. `client.references` has the same.
ALIAS = r"(?!(?:latest|main|[0-9a-f]+)(?![a-z0-9-]))[a-z](?:[a-z0-9-]{0,62}[a-z0-9])?"
REFERENCE = rf"latest|{SEMVER}|sha256:[0-9a-f]{{64}}|{ALIAS}"

# Slugs that are paths of this service or would mislead; they cannot be owners.
RESERVED_OWNERS = frozenset(
    [
        "about",
        "accounts",
        "admin",
        "api",
        "assets",
        "bearing-team",
        "blobs",
        "catalog",
        "collections",
        "datasets",
        "docs",
        "explore",
        "healthz",
        "help",
        "import",
        "invitations",
        "login",
        "logout",
        "me",
        "mixer",
        "new",
        "notifications",
        "organisations",
        "organizations",
        "presets",
        "report",
        "runs",
        "search",
        "settings",
        "signup",
        "static",
        "staff",
        "styleguide",
        "support",
        "teams",
        "tokens",
        "users",
        "vectors",
        "works-with",
        "www",
    ]
)


# What the eye takes for one another in a slug: single characters, then pairs for one character.
_SINGLES = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "-": ""})
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


def skeleton(slug: str) -> str:
    """The slug with look-alikes folded: two slugs with one skeleton could be taken for each other.

    Slugs are ASCII, so this stands for the confusables of Unicode TR 39. Single characters are spelled out
    as pairs before pairs are folded, so that `vw`, `wv` and `vvv` come to the same.
    """
    folded = slug.translate(_SINGLES)
    for pair, single in _PAIRS:
        folded = folded.replace(single, pair).replace(pair, single)
    return folded


def row_id(text: str) -> uuid.UUID:
    """The id that a text spells, or the nil id, which no row has: whoever looks it up finds nothing."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


def check_slug(value: str, *, what: str) -> str:
    """The value itself when it is a slug.

    Raises:
        InvalidError: it is not; the message says what a slug is.
    """
    if not re.fullmatch(SLUG, value):
        raise InvalidError(
            f"{what} {value!r} is not a valid name; use 1 to 64 lower-case letters, digits and inner hyphens",
            code="name.invalid",
            fields={what: "not a valid name"},
        )
    return value


def check_version(value: str) -> str:
    """The value itself when it is a plain semantic version `MAJOR.MINOR.PATCH`.

    Raises:
        InvalidError: it is not.
    """
    if not re.fullmatch(SEMVER, value):
        raise InvalidError(
            f"version {value!r} is not MAJOR.MINOR.PATCH without leading zeros, such as 1.0.0",
            code="version.invalid",
            fields={"version": "not a semantic version"},
        )
    return value


def version_key(value: str) -> tuple[int, ...]:
    """Sort key of a semantic version."""
    return tuple(int(part) for part in value.split("."))


@dataclass(frozen=True, slots=True)
class Reference:
    """What follows the `@`: exactly one of the three is set, or none for `latest`."""

    digest: str = ""
    version: str = ""
    alias: str = ""


def parse_reference(value: str) -> Reference:
    """`sha256:<64 hex>`, then an exact version, then `latest` or an alias, in this order.

    Raises:
        InvalidError: none of these.
    """
    if value.startswith("sha256:"):
        try:
            digest_hex(value)
        except FormatError as error:
            raise InvalidError(error.message, code="reference.invalid") from error
        return Reference(digest=value)
    if value == "latest":
        return Reference()
    if re.fullmatch(SEMVER, value):
        return Reference(version=value)
    if re.fullmatch(ALIAS, value):
        return Reference(alias=value)
    raise InvalidError(
        f"{value!r} is no reference; expected sha256:<64 hex digits>, a version such as 1.0.0, latest, or an "
        "alias such as stable",
        code="reference.invalid",
    )


def check_alias(value: str) -> str:
    """The value itself when an alias may be called so.

    Raises:
        InvalidError: it may not; the message says what may.
    """
    if not re.fullmatch(ALIAS, value):
        raise InvalidError(
            f"alias {value!r} cannot be had; use 1 to 64 lower-case letters, digits and inner hyphens that "
            "begin with a letter and are neither `latest`, `main` nor hex digits alone",
            code="alias.invalid",
            fields={"alias": "not a valid alias"},
        )
    return value


def parse_dataset_reference(value: str) -> tuple[str, str, int | None]:
    """`owner/name` or `owner/name@3` -> (owner, name, 3 or None for the newest).

    Raises:
        InvalidError: not of that form.
    """
    match = re.fullmatch(rf"({SLUG})/({SLUG})(?:@([1-9]\d{{0,8}}))?", value)
    if not match:
        raise InvalidError(
            f"{value!r} names no dataset; expected owner/name or owner/name@number",
            code="dataset.reference_invalid",
            fields={"dataset": "expected owner/name@number"},
        )
    return match[1], match[2], int(match[3]) if match[3] else None
