"""Rename a vector, or give it to another namespace. Its old names lead to it for good."""

from django.db import transaction

from registry.accounts.access import namespace_for
from registry.accounts.models import User
from registry.accounts.ownership import row_move
from registry.accounts.roles import Role
from registry.catalog.models import Vector
from registry.catalog.vectors import vector_changed, vector_locked, vector_to_change


def vector_move(*, actor: User, owner: str, name: str, to_owner: str = "", to_name: str = "") -> Vector:
    """Move a vector, with versions, aliases, requests for access and all.

    Args:
        to_owner, to_name: empty leaves the one that it has.
    Raises:
        NotFoundError, NotAllowedError: the actor is not an admin of both namespaces, or there is no such one.
        InvalidError, ConflictError: as `accounts.ownership.row_move`.
    """
    found = vector_to_change(actor, owner, name, Role.ADMIN)
    target = namespace_for(actor, to_owner or found.owner.slug, Role.ADMIN)
    with transaction.atomic():
        vector = vector_locked(found.pk)
        row_move(vector, actor=actor, to=target, name=to_name or vector.name)
        vector_changed(vector)
    return vector
