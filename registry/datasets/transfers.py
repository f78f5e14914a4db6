"""Rename a data set, or give it to another namespace. Its old names lead to it for good."""

from django.db import transaction

from registry.accounts.access import namespace_for, require, visible_to
from registry.accounts.models import User
from registry.accounts.ownership import row_move, row_named
from registry.accounts.roles import Role
from registry.core.errors import NotFoundError
from registry.datasets.models import Dataset


def dataset_move(*, actor: User, owner: str, name: str, to_owner: str = "", to_name: str = "") -> Dataset:
    """Move a data set with its versions.

    Args:
        to_owner, to_name: empty leaves the one that it has.
    Raises:
        NotFoundError, NotAllowedError: the actor is not an admin of both namespaces, or there is no such one.
        InvalidError, ConflictError: as `accounts.ownership.row_move`.
    """
    found = row_named(Dataset.objects.filter(visible_to(actor)).select_related("owner"), owner, name)
    if found is None:
        raise NotFoundError(f"there is no dataset {owner}/{name}", code="dataset.not_found")
    require(actor, Role.ADMIN, found)
    target = namespace_for(actor, to_owner or found.owner.slug, Role.ADMIN)
    with transaction.atomic():
        dataset = Dataset.objects.select_for_update(of=("self",)).select_related("owner").get(pk=found.pk)
        row_move(dataset, actor=actor, to=target, name=to_name or dataset.name)
    return dataset
