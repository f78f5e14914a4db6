"""Whether an owner's name can be given out: names are for good, and no two look alike."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from registry.accounts.models import Namespace
from registry.accounts.validators import validate_owner_name
from registry.core.errors import ConflictError, InvalidError, RegistryError
from registry.core.naming import skeleton


def owner_name_problem(name: str) -> RegistryError | None:
    """Why no person or organisation can get this name; None if it is free."""
    try:
        validate_owner_name(name)
    except ValidationError as error:
        reason = str(error.message)
        return InvalidError(
            f"the name {name!r} cannot be had: {reason}", code=str(error.code), fields={"slug": reason}
        )
    known = Namespace.objects.filter(skeleton=skeleton(name)).first()
    if known is None:
        return None
    if known.slug == name:
        return ConflictError(f"the name {name!r} is taken; choose another", code="namespace.taken")
    return ConflictError(
        f"the name {name!r} could be mistaken for {known.slug!r}, which exists; choose another",
        code="namespace.lookalike",
    )


def for_a_form(problem: RegistryError) -> str:
    """A problem as the sentence that stands beside a field."""
    return problem.fields.get("slug") or f"{problem.message[:1].upper()}{problem.message[1:]}."


@contextmanager
def name_race() -> Iterator[None]:
    """A transaction in which a namespace is made.

    Raises:
        ConflictError: somebody else was given the name between the check and this.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise ConflictError(
            "this name, one that looks like it, or this e-mail address was taken just now; choose another",
            code="namespace.taken",
        ) from error
