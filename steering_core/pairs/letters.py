"""Which option of a question an answer is: (A), B., Yes. Such answers may be told apart by the letter alone.

`confounds` counts them in a whole data set; `evaluation.steerability` asks what the letter does to steering.
"""

import re
from collections.abc import Sequence

from steering_core.pairs.pair import ContrastivePair

# Below this share of choices, a data set is one of free answers that now and then look like a choice.
MOST = 0.9

_OPTION = re.compile(
    r"""\s*(?:
        \(\s*(?P<bracketed>[a-z])\s*(?:\)|$)  # (A), ( A ) and an open (A
        | (?P<marked>[a-z])\s?[).:](?=\s|$)   # A)  A.  A:
        | (?P<bare>[a-z])\s*$                 # A
        | (?P<word>yes|no)\s*(?:[.,;:!]|$)    # Yes  No, ...
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def option(answer: str) -> str | None:
    """`A`, `B`, ..., `Yes` or `No`: which option an answer is or begins with; None for a free answer."""
    found = _OPTION.match(answer)
    return found[found.lastgroup].capitalize() if found and found.lastgroup else None


def options(pairs: Sequence[ContrastivePair]) -> list[tuple[str, str] | None]:
    """(positive, negative) option of each pair; None for a pair that is no choice between two options."""
    found = [(option(pair.positive), option(pair.negative)) for pair in pairs]
    return [(one, other) if one and other and one != other else None for one, other in found]


def are_choices(pairs: Sequence[ContrastivePair]) -> bool:
    """Whether the pairs are questions with options, for nine in ten of them at least."""
    found = options(pairs)
    return bool(found) and sum(map(bool, found)) >= MOST * len(found)
