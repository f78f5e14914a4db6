"""Who may see what: public rows for everybody, private rows for their owner alone."""

from typing import Any

from django.db.models import Q, TextChoices


class Visibility(TextChoices):
    """Private rows look as if they did not exist to everybody else."""

    PRIVATE = "private", "Private: only you"
    PUBLIC = "public", "Public: everybody"


def visible_to(viewer: Any, *, prefix: str = "") -> Q:
    """The condition under which a row with `owner` and `visibility` may be seen by this user, or by
    nobody in particular.
    """
    public = Q(**{f"{prefix}visibility": Visibility.PUBLIC})
    if viewer is None or not viewer.is_authenticated:
        return public
    return public | Q(**{f"{prefix}owner": viewer})
