"""State changes as compare-and-swap: one UPDATE … WHERE state = old. Zero rows means somebody was there
first.
"""

from collections.abc import Mapping
from typing import Any

from django.db import models

from registry.core.errors import IllegalTransitionError

Transitions = Mapping[str, frozenset[str]]


def transition(row: models.Model, *, to: str, allowed: Transitions, **changes: Any) -> None:
    """Move a row to another state, together with other columns, and refresh the object.

    Raises:
        IllegalTransitionError: `to` may not follow the present state, or the row has moved meanwhile.
    """
    present = row.state  # type: ignore[attr-defined]  # every caller's model has this column
    if to in allowed.get(present, frozenset()):
        manager = type(row)._default_manager
        if manager.filter(pk=row.pk, state=present).update(state=to, **changes):
            for name, value in {"state": to, **changes}.items():
                setattr(row, name, value)
            return
    raise IllegalTransitionError(
        f"{row._meta.verbose_name} {row.pk} is {present} and cannot become {to}",
        fields={"state": present},
    )
