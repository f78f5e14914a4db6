"""Record what happened."""

from collections.abc import Callable
from typing import Any

from registry.audit.models import AuditEvent

# Told of each event in the transaction of the change; apps above add theirs in `ready`.
FOLLOWERS: list[Callable[[AuditEvent], None]] = []


def record(
    action: str,
    *,
    subject: Any,
    namespace: Any = "",
    actor: Any = None,
    is_public: bool = False,
    **data: Any,
) -> AuditEvent:
    """Append an event. Call it in the transaction of the change, so that neither is without the other.

    Args:
        action: `noun.verb`, such as `version.published`.
        subject: what it is about; its text is kept.
        namespace: whose log it belongs to.
        actor: the user who did it; None for the service itself.
        data: more of it, as JSON; nothing secret.
    """
    event = AuditEvent.objects.create(
        action=action,
        subject=str(subject)[:200],
        namespace=str(namespace),
        actor="" if actor is None else actor.get_username(),
        is_public=is_public,
        data=data,
    )
    for follow in FOLLOWERS:
        follow(event)
    return event
