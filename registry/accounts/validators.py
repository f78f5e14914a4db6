"""What a username may be: a slug, and not a word that the service uses itself, nor one that looks like it."""

import re

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


USERNAME_VALIDATORS = [validate_owner_name]
