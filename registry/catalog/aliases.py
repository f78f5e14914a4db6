"""Aliases: names for versions that move, each change written down. Protected ones are for admins, and only
for versions whose report passes.
"""

from django.db import transaction

from registry.accounts.access import require
from registry.accounts.models import User
from registry.accounts.roles import Role
from registry.catalog.lifecycle import released_version
from registry.catalog.models import Alias, AliasEvent, Vector, VectorVersion
from registry.catalog.selectors import alias_get
from registry.catalog.states import Verdict, VersionState
from registry.catalog.vectors import vector_locked, vector_record, vector_to_change
from registry.core.errors import ConflictError, QuotaExceededError
from registry.core.naming import check_alias, check_version

MAX_ALIASES = 100
WORTHY = (Verdict.PASS, Verdict.WARN)


def alias_set(
    *,
    actor: User,
    name: str,
    alias: str,
    version: str,
    owner: str = "",
    is_protected: bool | None = None,
) -> tuple[Alias, bool]:
    """Make an alias or move it; where it is already, nothing happens and nothing is written down.

    Args:
        version: exact, such as 1.2.0.
        is_protected: None leaves it as it is; a new alias is not protected.
    Returns:
        The alias, and whether it is new.
    Raises:
        InvalidError: an alias cannot be called so, or the version is none.
        NotFoundError, NotAllowedError: there is no such vector or version for the actor, or it takes another
            role: writer, and admin for what is protected or is to be.
        ConflictError: the version is yanked, or its verdict is not enough for a protected alias.
    """
    check_alias(alias)
    check_version(version)
    found = vector_to_change(actor, owner, name)
    with transaction.atomic():
        vector = vector_locked(found.pk)
        row = vector.aliases.filter(name=alias).select_related("version").first()
        was_protected = row is not None and row.is_protected
        protected = was_protected if is_protected is None else is_protected
        if protected or was_protected:
            require(actor, Role.ADMIN, vector)
        target = released_version(vector, version)
        _check_target(vector, alias, target, protected)
        before = row.version if row else None
        if row and row.version_id == target.pk and protected == was_protected:
            return row, False
        if row is None and vector.aliases.count() >= MAX_ALIASES:
            raise QuotaExceededError(
                f"{vector} has {MAX_ALIASES} aliases, as many as a vector may; delete one first",
                code="alias.quota",
            )
        changed, is_new = Alias.objects.update_or_create(
            vector=vector, name=alias, defaults={"version": target, "is_protected": protected}
        )
        _write_down(vector, alias, actor, before=before, after=target, is_protected=protected)
    return changed, is_new


def alias_delete(*, actor: User, name: str, alias: str, owner: str = "") -> None:
    """Take an alias away; its history stays, and it may be set again.

    Raises:
        NotFoundError, NotAllowedError: there is no such alias for the actor, or it takes another role.
    """
    found = vector_to_change(actor, owner, name)
    with transaction.atomic():
        vector = vector_locked(found.pk)
        row = alias_get(vector=vector, name=alias)
        if row.is_protected:
            require(actor, Role.ADMIN, vector)
        row.delete()
        _write_down(vector, alias, actor, before=row.version, after=None, is_protected=row.is_protected)


def _check_target(vector: Vector, alias: str, target: VectorVersion, is_protected: bool) -> None:
    if target.state == VersionState.YANKED:
        raise ConflictError(
            f"{target} is yanked ({target.yank_reason}), and no alias leads to a yanked version; choose "
            "another",
            code="alias.version_yanked",
        )
    if is_protected and target.verdict not in WORTHY:
        raise ConflictError(
            f"the verdict on {target} is {target.verdict}; {vector}@{alias} is protected and takes pass or "
            "warn",
            code="alias.not_worthy",
        )


def _write_down(
    vector: Vector,
    alias: str,
    actor: User,
    *,
    before: VectorVersion | None,
    after: VectorVersion | None,
    is_protected: bool,
) -> None:
    AliasEvent.objects.create(
        vector=vector,
        name=alias,
        before=before,
        after=after,
        is_protected=is_protected,
        actor=actor.get_username(),
    )
    vector_record(
        "alias.set" if after else "alias.deleted",
        vector,
        actor,
        alias=alias,
        before=before.version if before else None,
        after=after.version if after else None,
        is_protected=is_protected,
    )
