"""Checks one object of a suite file at a time: the keys it has, and texts that may be shown and tokenized.

`suite` says which keys there are; docs/suites.md says what they are for.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from steering_core.errors import EvaluationError, PairsError
from steering_core.pairs.limits import Limits
from steering_core.pairs.text import checked_text, json_kind

T = TypeVar("T")

MAX_TEXT_CHARS, MAX_NAME_CHARS = 8192, 200
_LIMITS = Limits(max_field_chars=MAX_TEXT_CHARS)
_NAME_LIMITS = Limits(max_field_chars=MAX_NAME_CHARS)


@dataclass(frozen=True, slots=True)
class Record:
    """An object whose keys are known.

    Attributes:
        where: what it is, for messages: `capability 3`.
    """

    where: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, value: object, where: str, needed: Sequence[str], optional: Sequence[str] = ()) -> "Record":
        """Raises: EvaluationError `evaluation.suite_type` or `.suite_key`."""
        if not isinstance(value, dict):
            raise refused("type", f"{where} is {json_kind(value)}; expected an object")
        if absent := [key for key in needed if key not in value]:
            raise refused("key", f"{where} has no {absent[0]}; it needs {', '.join(needed)}")
        if unknown := [key for key in value if key not in (*needed, *optional)]:
            allowed = ", ".join((*needed, *optional))
            raise refused("key", f"{where} has the key {unknown[0][:40]!a}; expected are {allowed}")
        return cls(where, value)

    def text(self, key: str) -> str:
        """A text that is not blank; "" where an optional key is absent."""
        return _text(self.fields[key], f"{key} of {self.where}", _LIMITS) if key in self.fields else ""

    def name(self, key: str) -> str:
        """A short text in one line."""
        found = _text(self.fields[key], f"{key} of {self.where}", _NAME_LIMITS)
        if not found.isprintable() or found != found.strip():
            raise refused(
                "text", f"{key} of {self.where} is not one line without spaces around it; mend that"
            )
        return found

    def texts(self, key: str, most: int, least: int = 0) -> tuple[str, ...]:
        """A list of different texts; empty where an optional key is absent."""
        return self.items(key, most, lambda value, where: _text(value, where, _LIMITS), least)

    def items(self, key: str, most: int, make: Callable[[object, str], T], least: int = 0) -> tuple[T, ...]:
        """A list of what `make` gives of each value and its name; no two of them the same."""
        values = self.fields.get(key, [])
        if not isinstance(values, list):
            raise refused("type", f"{key} of {self.where} is {json_kind(values)}; expected a list")
        if not least <= len(values) <= most:
            raise refused(
                "count", f"{key} of {self.where} has {len(values):,} items; expected {least} to {most:,}"
            )
        found: dict[T, int] = {}
        for number, value in enumerate(values, start=1):
            made = make(value, f"{key} {number}")
            if made in found:
                raise refused("duplicate", f"{key} {number} is the same as {key} {found[made]}; take one out")
            found[made] = number
        return tuple(found)


def refused(code: str, message: str) -> EvaluationError:
    """An error of a suite file."""
    return EvaluationError(message, code=f"evaluation.suite_{code}")


def _text(value: object, where: str, limits: Limits) -> str:
    if not isinstance(value, str):
        raise refused("type", f"{where} is {json_kind(value)}; expected a text in quotes")
    try:
        text = checked_text(value, where, 1, limits, required=True)
    except PairsError as error:
        raise refused("text", error.message.removeprefix("row 1: ")) from error
    if not unicodedata.is_normalized("NFC", text):
        raise refused("text", f"{where} is not in Unicode's normal form C; normalize it")
    return text
