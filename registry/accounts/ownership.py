"""Names of rows that have an owner: every name that a row has or had stays its own for good, so that old
names lead to it and are never given to another.

A trigger of the row's table writes them, so that no way of making or renaming a row can forget it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pgtrigger
from django.db import IntegrityError, models, transaction
from django.db.models import QuerySet

from registry.accounts.access import Visibility, checked_visibility
from registry.accounts.models import Namespace, User
from registry.audit.services import record
from registry.core.errors import ConflictError
from registry.core.models import UUIDModel
from registry.core.naming import check_slug


class OwnedName(UUIDModel):
    """A name that a row has or had. A child adds the key `row`, whose table has the trigger `keeps_names`."""

    owner = models.ForeignKey(Namespace, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=64)

    class Meta:
        abstract = True
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="%(class)s_is_for_good")]
        triggers = [pgtrigger.Protect(name="name_is_for_good", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.owner.slug}/{self.name}"


def keeps_names(table: str) -> pgtrigger.Trigger:
    """The trigger of a table with `owner` and `name`; `table` is the one of its names."""
    return pgtrigger.Trigger(
        name="keeps_its_names",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.UpdateOf("owner_id", "name"),
        func=f"""
            INSERT INTO {table} (id, created_at, owner_id, name, row_id)
                VALUES (gen_random_uuid(), now(), NEW.owner_id, NEW.name, NEW.id)
                ON CONFLICT (owner_id, name) DO NOTHING;
            IF NOT EXISTS (
                SELECT FROM {table} WHERE owner_id = NEW.owner_id AND name = NEW.name AND row_id = NEW.id
            ) THEN
                RAISE unique_violation USING MESSAGE = 'this name belongs to another row for good';
            END IF;
            RETURN NULL;
        """,  # noqa: S608  the table's name is ours
    )


def row_named(rows: QuerySet[Any], owner: str, name: str) -> Any | None:
    """The row of this name, else the one that had it and was renamed or transferred; None for neither.

    Args:
        rows: those that the viewer may see, of a model with `names` and `asked_as`.
    Returns:
        A row whose `asked_as` is the old name, where it was found by one.
    """
    if row := rows.filter(owner__slug=owner, name=name).first():
        return row
    row = rows.filter(names__owner__slug=owner, names__name=name).first()
    if row is not None:
        row.asked_as = f"{owner}/{name}"
    return row


@contextmanager
def name_claim(name: str) -> Iterator[None]:
    """A transaction in which a row gets a name.

    Raises:
        ConflictError: another has it, or had it once.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise ConflictError(
            f"the name {name} is taken, or belonged to something that was renamed or moved; names are never "
            "given again, so choose another",
            code="name.taken",
        ) from error


def row_move(row: Any, *, actor: User, to: Namespace, name: str) -> None:
    """Give a locked row another owner, another name, or both, and log it where it was and where it is.

    To be called in a transaction, by whoever has checked that the actor is an admin on both sides.

    Raises:
        ConflictError: it is called so already, or the name is taken or was once.
        InvalidError: the name is no slug, or only an organisation can share what is shared with one.
    """
    noun, before, was = row._meta.model_name, str(row), row.owner
    check_slug(name, what="name")
    if (to.pk, name) == (was.pk, row.name):
        raise ConflictError(f"{row} is called so already; choose another owner or name", code="name.same")
    checked_visibility(row.visibility, to)
    row.owner, row.name = to, name
    with name_claim(f"{to}/{name}"):
        row.save(update_fields=["owner", "name"])
    is_public = row.visibility == Visibility.PUBLIC
    action = f"{noun}.renamed" if to.pk == was.pk else f"{noun}.transferred"
    for namespace in dict.fromkeys((was.slug, to.slug)):
        record(action, subject=row, namespace=namespace, actor=actor, is_public=is_public, before=before)
