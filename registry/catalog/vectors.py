"""Vectors themselves: find one to change, change the words around it, tell who follows."""

from collections.abc import Callable
from typing import Any

from django.db import transaction

from registry.accounts.access import OPEN, Visibility, checked_visibility, require, visible_to
from registry.accounts.models import User
from registry.accounts.ownership import row_named
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.notices import check_present
from registry.catalog.screening import screening_problem
from registry.catalog.states import NAMED, RELEASED, Domain, VersionState
from registry.core.errors import InvalidError, NotFoundError
from registry.core.naming import version_key

# Called with a vector in the transaction that changed it or its `latest`: what is derived from it follows.
FOLLOWERS: list[Callable[[Vector], None]] = []

# Called with a version once its file is there, and again before it is published, outside of transactions: to
# look into files takes time. Whoever is called raises nothing.
FILE_FOLLOWERS: list[Callable[[VectorVersion], None]] = []

_LIMITS = {"title": 120, "description": 4000, "card_text": 20_000, "trait": 64, "language": 20}


def vector_update(*, actor: User, name: str, owner: str = "", **changes: str | None) -> Vector:
    """Change the words around a vector; its versions stay as they are.

    Args:
        changes: of `title`, `description`, `card_text`, `trait`, `domain`, `language` and `visibility` those
            that are not None.
    Raises:
        NotFoundError, NotAllowedError: there is no such vector for the actor, or it is not theirs to change.
        InvalidError: a text is too long, the domain or visibility is unknown, or it may not be public: a
            released version of it was not screened for safety.
    """
    found = vector_to_change(actor, owner, name)
    with transaction.atomic():
        # Locked, so that no version is released between the check of all and the change.
        vector = vector_locked(found.pk)
        # Only what was sent: a new title must not undo somebody's simultaneous change to private.
        changed = _changed(vector, changes)
        vector.save(update_fields=changed)
        if changed:
            vector_changed(vector)
            vector_record("vector.updated", vector, actor, fields=changed)
    return vector


def vector_to_change(actor: User, owner: str, name: str, least: Role = Role.WRITER) -> Vector:
    """A vector on which the actor has this role, by a name that it has or had; an empty owner means their own
    namespace.

    Raises:
        NotFoundError: there is none for them.
        NotAllowedError: they see it and lack the role.
        RemovedError: operators took it away.
    """
    owner = owner or actor.username
    row: Vector | None = row_named(
        Vector.objects.filter(visible_to(actor)).select_related("owner"), owner, name
    )
    if row is None:
        raise NotFoundError(f"there is no vector {owner}/{name}", code="vector.not_found")
    require(actor, least, row)
    check_present(row)
    return row


def vector_locked(vector_id: Any) -> Vector:
    """The vector, locked to the end of the transaction: every change of it and of what hangs on it waits."""
    return Vector.objects.select_for_update(of=("self",)).select_related("owner").get(pk=vector_id)


def latest_refresh(vector: Vector) -> None:
    """Point `latest` at the highest published version; the caller holds the vector's lock."""
    published = vector.versions.filter(state=VersionState.PUBLISHED)
    vector.latest = max(published, key=lambda row: version_key(row.version or "0.0.0"), default=None)
    vector.save(update_fields=["latest", "visibility", "domain"])
    vector_changed(vector)


def vector_changed(vector: Vector) -> None:
    """Tell those that follow, in the transaction of the change."""
    for follow in FOLLOWERS:
        follow(vector)


def version_file_follow(version: VectorVersion) -> None:
    """Tell those that look into files."""
    for follow in FILE_FOLLOWERS:
        follow(version)


def vector_record(action: str, vector: Vector, actor: User, **data: Any) -> None:
    """Log what was done to a vector; everybody may know it of a public one."""
    is_public = vector.visibility == Visibility.PUBLIC
    record(action, subject=vector, namespace=vector.owner, actor=actor, is_public=is_public, **data)


def version_record(action: str, version: VectorVersion, actor: User, **data: Any) -> None:
    """Log what was done to a version; everybody may know it of a public vector that is released."""
    vector = version.vector
    is_public = vector.visibility == Visibility.PUBLIC and version.state in NAMED
    record(action, subject=version, namespace=vector.owner, actor=actor, is_public=is_public, **data)


def checked_domain(text: str) -> str:
    """A domain as it is stored; empty for none.

    Raises:
        InvalidError: it is not of `states.Domain`.
    """
    if text and text not in Domain.values:
        raise InvalidError(
            f"domain {text!r} is not known; choose one of {', '.join(Domain.values)}",
            code="domain.unknown",
            fields={"domain": "unknown"},
        )
    return text


def _changed(vector: Vector, changes: dict[str, str | None]) -> list[str]:
    """Set the fields that were sent, and name them."""
    changed = []
    for field, value in changes.items():
        if value is None:
            continue
        if field == "visibility":
            if checked_visibility(value, vector.owner) in OPEN and vector.visibility not in OPEN:
                _check_all_are_screened(vector)
        elif field == "domain":
            checked_domain(value)
        elif len(value) > _LIMITS[field]:
            raise InvalidError(
                f"the {field} has {len(value)} characters; {_LIMITS[field]} are allowed",
                code="text.too_long",
            )
        setattr(vector, field, value.strip())
        changed.append(field)
    return changed


def _check_all_are_screened(vector: Vector) -> None:
    """What is yanked counts: whoever knows its name still gets it."""
    for row in vector.versions.filter(state__in=RELEASED).order_by("-published_at"):
        if problem := screening_problem(row.report, Visibility.PUBLIC):
            raise InvalidError(
                f"{vector} cannot be public: of version {row.version} the report says that {problem}",
                code="visibility.not_screened",
                fields={"visibility": "not screened"},
            )
