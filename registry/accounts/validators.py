"""What a username may be: a slug, and not a word that the service uses itself."""

import re

from django.core.exceptions import ValidationError

from registry.core.naming import RESERVED_OWNERS, SLUG


def validate_owner_name(value: str) -> None:
    """A username is the owner part of every name that its user publishes.

    Raises:
        ValidationError: not a slug, or reserved.
    """
    if not re.fullmatch(SLUG, value):
        raise ValidationError(
            "Use 1 to 64 lower-case letters, digits and inner hyphens.", code="username.invalid"
        )
    if value in RESERVED_OWNERS:
        raise ValidationError("This name is reserved; choose another.", code="username.reserved")


USERNAME_VALIDATORS = [validate_owner_name]
