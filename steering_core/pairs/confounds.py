"""What could pass for the trait without being it: the length of a text, the letter of an A/B answer."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from steering_core.pairs.pair import ContrastivePair

_LETTER = re.compile(r"\s*\(?([A-Za-z])[).:]?\s*")


def length_report(pairs: Sequence[ContrastivePair]) -> dict[str, float]:
    """Mean characters of each side, their ratio, and how well length alone tells the sides apart."""
    positive = np.array([len(pair.positive) for pair in pairs], dtype=np.int64)
    negative = np.array([len(pair.negative) for pair in pairs], dtype=np.int64)
    return {
        "positive_mean_chars": round(float(positive.mean()), 1),
        "negative_mean_chars": round(float(negative.mean()), 1),
        "ratio": round(float(positive.mean() / negative.mean()), 3),
        "auroc": round(auroc(positive, negative), 3),
    }


def auroc(positive: npt.NDArray[np.int64], negative: npt.NDArray[np.int64]) -> float:
    """Chance that a positive value is above a negative one, ties counted half: (n,), (m,) -> [0, 1]."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).mean() / (2 * len(negative)))


def letter_report(pairs: Sequence[ContrastivePair]) -> dict[str, Any] | None:
    """How often each letter is the positive answer, if every text is one letter such as (A); None otherwise.

    `imbalance` is the share of the commonest positive letter minus what even use would give: 0 is balanced.
    """
    positive = [_LETTER.fullmatch(pair.positive) for pair in pairs]
    negative = [_LETTER.fullmatch(pair.negative) for pair in pairs]
    if None in positive or None in negative:
        return None
    shown = Counter(match[1].upper() for match in positive if match)
    letters = {match[1].upper() for match in positive + negative if match}
    return {
        "positive": dict(sorted(shown.items())),
        "negative": dict(sorted(Counter(match[1].upper() for match in negative if match).items())),
        "imbalance": round(max(shown.values()) / len(pairs) - 1 / len(letters), 3),
    }
