"""What a worker may put into a run's log beside words: small facts, of a few kinds, as
`steering_core.evaluation.interim` writes them. Pages draw them, streams carry them.
"""

from typing import Any

from registry.core.errors import InvalidError
from steering_core.errors import FormatError
from steering_core.spec import canonical_json

KINDS = ("places", "effects", "place", "family")
# A line of the log is read again by everybody who follows the run; 400 places fit.
MAX_FACTS_BYTES = 48 * 1024


def checked_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts themselves.

    Raises:
        InvalidError: of no known kind, too large, or not JSON: a number that is not finite.
    """
    kind = facts.get("kind")
    if kind not in KINDS:
        raise InvalidError(
            f"facts of the kind {kind!r} are not known; expected one of {', '.join(KINDS)}",
            code="run.facts_invalid",
        )
    try:
        size = len(canonical_json(facts))
    except FormatError as error:
        raise InvalidError(error.message, code="run.facts_invalid") from error
    if size > MAX_FACTS_BYTES:
        raise InvalidError(
            f"{size:,} bytes of facts came; at most {MAX_FACTS_BYTES:,} go into a line of the log",
            code="run.facts_too_large",
        )
    return facts
