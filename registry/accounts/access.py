"""Who may see, change and download what: the one place that decides.

It speaks of rows with `owner` (a namespace), `name` and `visibility`: vectors, datasets and presets. What
somebody may not see does not exist for them (404); what they see but may not do is refused (403).
"""

from collections.abc import Callable
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q

from registry.accounts.models import Membership, Namespace, TeamGrant, User
from registry.accounts.roles import Role, at_least
from registry.core.errors import InvalidError, NotAllowedError, NotFoundError, RegistryError
from registry.core.naming import SLUG_PATTERN


class Visibility(models.TextChoices):
    """Who sees a row besides those who may change it."""

    PRIVATE = "private", "Private: only you, and whoever may write for the organisation"
    ORGANISATION = "organisation", "Organisation: its members"
    UNLISTED = "unlisted", "Unlisted: whoever knows the name"
    PUBLIC = "public", "Public: everybody"


# Seen by whoever knows the name, and listed for every member of the organisation.
OPEN = (Visibility.UNLISTED, Visibility.PUBLIC)
SHARED = (Visibility.ORGANISATION, Visibility.UNLISTED)


def visible_to(viewer: Any, *, prefix: str = "") -> Q:
    """The condition under which a row may be seen by this user, or by nobody in particular, who knows its
    name.
    """
    return Q(**{f"{prefix}visibility__in": OPEN}) | _shared_with(viewer, prefix)


def listed_to(viewer: Any, *, prefix: str = "") -> Q:
    """As `visible_to`, for lists and searches: what is unlisted shows for its members only."""
    return Q(**{f"{prefix}visibility": Visibility.PUBLIC}) | _shared_with(viewer, prefix)


def held_by(viewer: Any, least: Role, *, prefix: str = "") -> Q:
    """The condition under which this user has at least this role on a row."""
    if viewer is None or not viewer.is_authenticated:
        return Q(pk__in=[])
    memberships = Membership.objects.filter(user=viewer, role__in=at_least(least)).values("namespace")
    granted = TeamGrant.objects.filter(
        team__members=viewer,
        role__in=at_least(least),
        team__namespace=OuterRef(f"{prefix}owner"),
        name=OuterRef(f"{prefix}name"),
    )
    return Q(**{f"{prefix}owner__in": memberships}) | Q(Exists(granted))


def may(viewer: Any, least: Role, row: Any) -> bool:
    """Whether this user has at least this role on a vector, dataset or preset."""
    return type(row)._default_manager.filter(held_by(viewer, least), pk=row.pk).exists()


def sees(viewer: Any, row: Any) -> bool:
    """Whether this user may see a vector, dataset or preset whose name they know."""
    if row.visibility in OPEN:
        return True
    return type(row)._default_manager.filter(_shared_with(viewer, ""), pk=row.pk).exists()


def require(actor: User, least: Role, row: Any) -> None:
    """Refuse whoever lacks the role; the row must be visible to them.

    Raises:
        NotAllowedError: says which role it takes.
    """
    if not may(actor, least, row):
        raise NotAllowedError(
            f"{row} is not yours to change: it takes the role {least.value} in {row.owner}",
            code="access.role_needed",
        )


def namespace_for(actor: User, slug: str, least: Role = Role.WRITER) -> Namespace:
    """The namespace in which somebody wants to make something; empty means their own.

    Raises:
        NotFoundError: there is none of this name.
        NotAllowedError: they lack the role.
    """
    row = Namespace.objects.filter(slug=slug or actor.username).first()
    if row is None:
        raise NotFoundError(f"there is no user or organisation {slug!r}", code="namespace.not_found")
    if not Membership.objects.filter(namespace=row, user=actor, role__in=at_least(least)).exists():
        raise NotAllowedError(
            f"it takes the role {least.value} in {row} to do this; ask one of its admins",
            code="access.role_needed",
        )
    return row


def checked_visibility(visibility: str, owner: Namespace) -> str:
    """The visibility itself.

    Raises:
        InvalidError: unknown, or for organisations only.
    """
    if visibility not in Visibility.values:
        raise InvalidError(
            f"visibility {visibility!r} is not known; choose one of {', '.join(Visibility.values)}",
            code="visibility.invalid",
            fields={"visibility": "unknown"},
        )
    if visibility == Visibility.ORGANISATION and not owner.is_organisation:
        raise InvalidError(
            f"{owner} is a person, so there is no organisation to share with; choose private or unlisted",
            code="visibility.invalid",
            fields={"visibility": "for organisations only"},
        )
    return visibility


def check_not_hidden(row: Any, visibility: str) -> None:
    """Keep private what operators made private: a dataset or preset that its owner wants to show again.

    Raises:
        NotAllowedError: says why operators made it private.
    """
    if row.hidden_reason and visibility != Visibility.PRIVATE:
        raise NotAllowedError(
            f"operators made {row} private, and they alone can take that back: {row.hidden_reason}",
            code="access.hidden",
        )


# Asked before a file of a vector or preset is given: each says why not, or None. `catalog` adds the one for
# gated vectors; whatever sells adds its own.
FileGate = Callable[[Any, Any], RegistryError | None]
FILE_GATES: list[FileGate] = []


def check_files(viewer: Any, row: Any) -> None:
    """Whether this user may have the files of a row that they see.

    Raises:
        NotAllowedError: a gate is in the way; the code says which.
    """
    problem = next((p for gate in FILE_GATES if (p := gate(viewer, row))), None)
    if problem and not may(viewer, Role.READER, row):
        raise problem


def split_name(actor: User, text: str, *, what: str) -> tuple[str, str]:
    """`owner/name`, or a bare `name` in the actor's own namespace -> (owner, name).

    Raises:
        InvalidError: neither.
    """
    owner, slash, name = text.rpartition("/")
    owner = owner if slash else actor.username
    if not (SLUG_PATTERN.fullmatch(owner) and SLUG_PATTERN.fullmatch(name)):
        raise InvalidError(
            f"{what} {text!r} is not a valid name; use 1 to 64 lower-case letters, digits and inner hyphens, "
            "with the organisation and a slash before it if it is not your own",
            code="name.invalid",
            fields={what: "not a valid name"},
        )
    return owner, name


def _shared_with(viewer: Any, prefix: str) -> Q:
    if viewer is None or not viewer.is_authenticated:
        return Q(pk__in=[])
    readers = Membership.objects.filter(user=viewer).values("namespace")
    shared = Q(**{f"{prefix}visibility__in": SHARED, f"{prefix}owner__in": readers})
    granted = TeamGrant.objects.filter(
        team__members=viewer, team__namespace=OuterRef(f"{prefix}owner"), name=OuterRef(f"{prefix}name")
    )
    return held_by(viewer, Role.WRITER, prefix=prefix) | shared | Q(Exists(granted))
