"""Text of others, made safe to show in a terminal."""

import unicodedata
from typing import Any

_TURNS_THE_LINE = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str) -> str:
    """The text without what would steer a terminal or turn the line around; line ends and tabs stay."""
    return "".join(_visible(character) for character in text)


def cell(value: Any, *, most: int = 200) -> str:
    """A value as one short line; nothing for None."""
    shown = "" if value is None else " ".join(clean(str(value)).split())
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def day(moment: Any) -> str:
    """`2026-11-22 14:05` of an ISO 8601 time."""
    return cell(moment)[:16].replace("T", " ")


def short_digest(named: Any) -> str:
    """`sha256:0123456789ab…`, enough to tell digests apart by eye."""
    shown = cell(named)
    return shown[:19] + "…" if len(shown) > 20 else shown


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Cs") or character in _TURNS_THE_LINE
    return "\ufffd" if hidden and character not in "\n\t" else character
