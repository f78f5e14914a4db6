"""What a text repeats, how much replies differ, and in which scripts they are written. No model here.

`window` asks it of single replies, `side_effects` of all replies together.
"""

import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from math import exp, log

Tokens = Sequence[Hashable]


def distinct(texts: Iterable[Tokens], n: int) -> float:
    """Distinct-n: the share of n-grams that are different ones, over all texts; 1 where there is none.

    Source: Li et al. 2016, arXiv:1510.03055, section 5.
    """
    counts = Counter(gram for text in texts for gram in ngrams(text, n))
    return len(counts) / counts.total() if counts else 1.0


def repeated(text: Tokens, n: int = 4) -> float:
    """The share of a text's n-grams that stood in it before."""
    return 1 - distinct([text], n)


def longest_repeat(text: Tokens) -> int:
    """Most tokens in a row that stand in the text twice; the two places may overlap."""
    low, high = 0, max(0, len(text) - 1)
    while low < high:
        middle = (low + high + 1) // 2
        grams = list(ngrams(text, middle))
        low, high = (middle, high) if len(set(grams)) < len(grams) else (low, middle - 1)
    return low


def self_bleu(texts: Sequence[Tokens], most: int = 4) -> float:
    """Mean BLEU of each text against all others, up to 4-grams: 1 where all are the same.

    Source: Zhu et al. 2018, arXiv:1802.01886. Where a text has no match of an order, half a match is counted.
    """
    if len(texts) < 2:
        return 0.0
    return sum(_bleu(text, [*texts[:i], *texts[i + 1 :]], most) for i, text in enumerate(texts)) / len(texts)


def foreign(text: str, scripts: frozenset[str]) -> float:
    """The share of a text's letters that are of other scripts; 0 where it has no letter."""
    letters = [script(character) for character in text if character.isalpha()]
    return sum(one not in scripts for one in letters) / len(letters) if letters else 0.0


def scripts_of(texts: Iterable[str]) -> frozenset[str]:
    """The scripts of all letters of some texts."""
    return frozenset(script(c) for c in set().union(*texts) if c.isalpha())


@lru_cache(maxsize=4096)
def script(letter: str) -> str:
    """The first word of the character's name, which for letters is their script: LATIN, CYRILLIC, CJK."""
    return unicodedata.name(letter, "UNKNOWN").split()[0]


def ngrams(text: Tokens, n: int) -> Iterable[tuple[Hashable, ...]]:
    """All runs of n tokens, in order."""
    return zip(*(text[i:] for i in range(n)), strict=False)


def _bleu(text: Tokens, others: Sequence[Tokens], most: int) -> float:
    if not text:
        return 0.0
    logs = []
    for n in range(1, min(most, len(text)) + 1):
        counts, allowed = Counter(ngrams(text, n)), Counter[tuple[Hashable, ...]]()
        for other in others:
            allowed |= Counter(ngrams(other, n))
        matched = (counts & allowed).total()
        logs.append(log(max(matched, 0.5) / counts.total()))
    nearest = min((abs(len(other) - len(text)), len(other)) for other in others)[1]
    brevity = min(1.0, exp(1 - nearest / len(text)))
    return brevity * exp(sum(logs) / len(logs))
