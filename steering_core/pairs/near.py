"""Pairs that are nearly a pair of another group, so that training and test may share them. All are kept.

Source: Broder 1997, "On the resemblance and containment of documents" (MinHash over shingles of words).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.usable import group_name
from steering_core.pairs.words import Ints, Words, number_words

Hashes = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

SIMILAR = 0.8
_SHINGLE = 3
_HASHES = 32
_BAND = 4
_FEWEST_WORDS = 8
_SEED = 20_251
_MIX = np.uint64(0x9E3779B97F4A7C15)


def near_duplicates(pairs: Sequence[ContrastivePair]) -> int:
    """How many pairs `near_duplicate_places` finds."""
    return len(near_duplicate_places(pairs))


def near_duplicate_places(pairs: Sequence[ContrastivePair]) -> list[int]:
    """Indexes of pairs that share about 80 % or more of their runs of three words with one of another group.

    An estimate from 32 hashes; pairs of fewer than eight words are not looked at. Of each heap of like pairs,
    the first is not named.
    """
    names: dict[str, int] = {}
    group = np.array([names.setdefault(group_name(pair), len(names)) for pair in pairs], np.int64)
    words = number_words("\n".join((pair.prompt, pair.positive, pair.negative)) for pair in pairs)
    owner, shingle = _shingles(words)
    if not len(owner):
        return []
    rows, starts = np.unique(owner, return_index=True)
    signatures = _signatures(shingle, starts)  # (len(rows), _HASHES)
    like = np.zeros(len(rows), dtype=bool)
    for start in range(0, _HASHES, _BAND):
        like |= _like_the_first(signatures, group[rows], start)
    return [int(row) for row in rows[like]]


def _shingles(words: Words) -> tuple[Ints, Hashes]:
    """(owner, hash) of each run of words within one text that is long enough."""
    long_enough = np.bincount(words.text, minlength=1) >= _FEWEST_WORDS
    end = len(words.text) - _SHINGLE + 1
    if end < 1:
        return np.empty(0, np.int64), np.empty(0, np.uint64)
    owner = words.text[:end]
    within = (owner == words.text[_SHINGLE - 1 :]) & long_enough[owner]
    mixed = np.zeros(end, dtype=np.uint64)
    for offset in range(_SHINGLE):
        mixed = _scatter(mixed ^ words.word[offset : end + offset].astype(np.uint64))
    return owner[within], mixed[within]


def _scatter(values: Hashes) -> Hashes:
    """Multiply and fold, as splitmix64 does; overflow is meant."""
    values = (values + np.uint64(1)) * _MIX
    return values ^ (values >> np.uint64(29))


def _signatures(shingle: Hashes, starts: Ints) -> Hashes:
    rng = np.random.default_rng(_SEED)
    masks = rng.integers(0, 2**63, size=_HASHES, dtype=np.uint64)
    return np.stack([np.minimum.reduceat(_scatter(shingle ^ mask), starts) for mask in masks], axis=1)


def _like_the_first(signatures: Hashes, group: Ints, start: int) -> Bools:
    """Rows that share a band with an earlier row of another group and agree in most hashes."""
    band = np.zeros(len(signatures), dtype=np.uint64)
    for column in range(start, start + _BAND):
        band = _scatter(band ^ signatures[:, column])
    _, first, heap = np.unique(band, return_index=True, return_inverse=True)
    other = first[heap]
    like: Bools = np.not_equal(group, group[other])
    candidates = np.flatnonzero(like)
    agreement = (signatures[candidates] == signatures[other[candidates]]).mean(axis=1)
    like[candidates] = agreement >= SIMILAR
    return like
