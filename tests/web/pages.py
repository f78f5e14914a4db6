"""Reading pages."""

import re


def words(html: bytes | str) -> str:
    """What a page says, without its tags, with single spaces."""
    text = html.decode() if isinstance(html, bytes) else html
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
