"""Which pairs of a dataset count: the first of each text, unless both texts are the same."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from steering_core.pairs.pair import ContrastivePair

Texts = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Indexes into the pairs, each in file order; a pair stands in exactly one of the first three."""

    usable: tuple[int, ...]
    duplicates: tuple[int, ...]
    identical: tuple[int, ...]
    contradictory: tuple[int, ...]  # usable, but the same pair also stands the other way round


def sort_pairs(pairs: Sequence[ContrastivePair]) -> Sorted:
    """Equal means equal after Unicode composition, so that é and e + accent cannot stand in two splits."""
    first: dict[Texts, int] = {}
    duplicates, identical = [], []
    for index, pair in enumerate(pairs):
        texts = _texts(pair)
        if texts[1] == texts[2]:
            identical.append(index)
        elif texts in first:
            duplicates.append(index)
        else:
            first[texts] = index
    contradictory = [index for (prompt, one, two), index in first.items() if (prompt, two, one) in first]
    return Sorted(tuple(first.values()), tuple(duplicates), tuple(identical), tuple(contradictory))


def group_name(pair: ContrastivePair) -> str:
    """What a pair is split by; a pair without group is a group of its own, wherever it stands in the file."""
    if pair.group:
        return f"group {pair.group}"
    # A hash, because the names of all pairs would otherwise hold the whole dataset once more.
    return "pair " + hashlib.sha256("\0".join(_texts(pair)).encode("utf-8", "surrogatepass")).hexdigest()


def _texts(pair: ContrastivePair) -> Texts:
    return (_composed(pair.prompt), _composed(pair.positive), _composed(pair.negative))


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)
