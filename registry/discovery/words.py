"""From what somebody typed to what PostgreSQL searches for. Nothing that is typed is an error, and nothing
of it is an operator.
"""

import re

from django.contrib.postgres.search import SearchQuery

from steering_core.errors import FormatError
from steering_core.spec import digest_hex

# More narrow nothing down that these have not.
MAX_WORDS = 12
MAX_LETTERS = 64
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The runs of letters and digits of a text, the first few, each once."""
    found = (match.group()[:MAX_LETTERS] for match in _WORD.finditer(text[:2000]))
    return list(dict.fromkeys(found))[:MAX_WORDS]


def prefix_query(words: list[str]) -> SearchQuery:
    """What finds texts that have, for each of these words, one that begins with it."""
    raw = " & ".join(f"'{word}':*" for word in words)
    return SearchQuery(raw, search_type="raw", config="simple")


def is_digest(text: str) -> bool:
    """Whether it is the name of a base model revision rather than words."""
    try:
        digest_hex(text)
    except FormatError:
        return False
    return True
