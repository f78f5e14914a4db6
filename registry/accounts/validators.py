"""What a username may be: a slug, and not a word that the service uses itself, nor one that looks like it."""

import re

from django.apps import apps
from django.core.exceptions import ValidationError

from registry.core.naming import RESERVED_OWNERS, SLUG, skeleton

RESERVED = {skeleton(word): word for word in RESERVED_OWNERS}


def validate_owner_name(value: str) -> None:
    """The owner part of every name that is published under it.

    Raises:
        ValidationError: not a slug, or reserved.
    """
    if not re.fullmatch(SLUG, value):
        raise ValidationError(
            "Use 1 to 64 lower-case letters, digits and inner hyphens.", code="namespace.invalid"
        )
    if word := RESERVED.get(skeleton(value)):
        raise ValidationError(
            "This name is reserved; choose another."
            if word == value
            else f"This name looks like {word}, which is reserved; choose another.",
            code="namespace.reserved",
        )


def validate_name_is_free(value: str) -> None:
    """That no other owner has this name or one that looks like it, also one whose person is gone.

    That no other person has it is for the unique column to say, so that a person may keep their own.

    Raises:
        ValidationError: it is taken, or could be mistaken for one that exists.
    """
    known = apps.get_model("accounts", "Namespace").objects.filter(skeleton=skeleton(value)).first()
    if known is None or apps.get_model("accounts", "User").objects.filter(username=value).exists():
        return
    if known.slug == value:
        raise ValidationError("This name is taken; choose another.", code="namespace.taken")
    raise ValidationError(
        f"This name could be mistaken for {known.slug}, which exists; choose another.",
        code="namespace.lookalike",
    )


USERNAME_VALIDATORS = [validate_owner_name, validate_name_is_free]
