"""The canonical form of a dataset: what a registry stores, and what its digest is taken from."""

import json
from collections.abc import Iterable

from steering_core.pairs.pair import ContrastivePair
from steering_core.spec import canonical_json

_FIELDS = ("domain", "group", "negative", "positive", "prompt", "template")


def write_jsonl(pairs: Iterable[ContrastivePair]) -> bytes:
    """House JSONL: sorted keys, no empty fields, UTF-8, a line feed after each pair.

    `read_pairs(write_jsonl(pairs)).pairs == pairs` for every pair that `read_pairs` accepts.

    Raises:
        FormatError: a text holds half of a surrogate pair.
    """
    return b"".join(canonical_json(_fields(pair)) + b"\n" for pair in pairs)


def read_canonical(data: bytes) -> list[ContrastivePair]:
    """The pairs of a file of `write_jsonl`. Nothing is checked: the files of others are for `read_pairs`."""
    return [ContrastivePair(**json.loads(line)) for line in data.split(b"\n") if line]


def _fields(pair: ContrastivePair) -> dict[str, str]:
    return {field: text for field in _FIELDS if (text := getattr(pair, field))}
