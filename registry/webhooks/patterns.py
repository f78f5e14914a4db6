"""Which actions of the log a webhook wants: `version.published`, `version.*` or `*`."""

import re

from registry.core.errors import InvalidError

PATTERN = r"\*|[a-z][a-z_]{0,28}\.(?:\*|[a-z][a-z_]{0,28})"
MAX_PATTERNS = 50


def checked_patterns(patterns: list[str]) -> list[str]:
    """The patterns in order, each once.

    Raises:
        InvalidError: none, too many, or one of another form.
    """
    for pattern in patterns:
        if not re.fullmatch(PATTERN, pattern):
            raise InvalidError(
                f"{pattern!r} names no actions; expected one such as version.published, version.* or *",
                code="webhook.action_invalid",
                fields={"actions": "expected noun.verb, noun.* or *"},
            )
    if not 1 <= len(set(patterns)) <= MAX_PATTERNS:
        raise InvalidError(
            f"{len(set(patterns))} patterns of actions came; 1 to {MAX_PATTERNS} are allowed",
            code="webhook.action_invalid",
            fields={"actions": f"1 to {MAX_PATTERNS}"},
        )
    return sorted(set(patterns))


def wants(patterns: list[str], action: str) -> bool:
    """Whether one of the patterns names this action."""
    noun = action.partition(".")[0]
    return not {"*", f"{noun}.*", action}.isdisjoint(patterns)
