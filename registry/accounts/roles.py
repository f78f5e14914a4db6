"""What a member of a namespace may do, from least to most."""

from django.db import models


class Role(models.TextChoices):
    """Each role may do what the ones before it may."""

    READER = "reader", "Reader: sees what is shared with the organisation"
    WRITER = "writer", "Writer: sees everything; uploads, extracts, publishes"
    ADMIN = "admin", "Admin: invites members; transfers, gates, webhooks"
    OWNER = "owner", "Owner: names admins and owners"

    @property
    def rank(self) -> int:
        """Its place in the order."""
        return list(Role).index(self)


def at_least(least: Role) -> list[str]:
    """This role and those above it."""
    return [role.value for role in Role if role.rank >= least.rank]
