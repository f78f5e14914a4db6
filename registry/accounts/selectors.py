"""Read tokens, organisations and logs. What may be read is decided by the viewer's role."""

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from registry.accounts.access import namespace_for
from registry.accounts.models import ApiToken, Invitation, Membership, Namespace, Team, User
from registry.accounts.organisations import no_organisation
from registry.accounts.roles import Role
from registry.accounts.teams import no_team
from registry.audit.models import AuditEvent
from registry.core.errors import NotFoundError


def token_list(*, user: User) -> QuerySet[ApiToken]:
    """The user's tokens that are not revoked, newest first."""
    return ApiToken.objects.filter(user=user, revoked_at=None)


def membership_list(*, user: User) -> QuerySet[Membership]:
    """What the user belongs to, their own namespace among it."""
    return user.memberships.select_related("namespace").order_by("namespace__kind", "namespace__slug")


def organisation_list(*, viewer: User) -> QuerySet[Namespace]:
    """The organisations that the viewer is a member of, newest first, with their `role`."""
    return _organisations(viewer).filter(memberships__user=viewer)


def organisation_get(*, viewer: Any, slug: str) -> Namespace:
    """One organisation, which everybody may know of; `role` is the viewer's in it, or None.

    Raises:
        NotFoundError: there is none.
    """
    row = _organisations(viewer).filter(slug=slug).first()
    if row is None:
        raise no_organisation(slug)
    return row


def namespace_get(*, viewer: Any, slug: str) -> Namespace:
    """A person or an organisation, whom everybody may know of; `role` is the viewer's in it, or None.

    Raises:
        NotFoundError: there is none.
    """
    row = _with_role(Namespace.objects.filter(slug=slug), viewer).first()
    if row is None:
        raise NotFoundError(f"there is no user or organisation {slug!r}", code="namespace.not_found")
    return row


def member_list(*, viewer: User, slug: str) -> QuerySet[Membership]:
    """Who belongs to an organisation, for its members.

    Raises:
        NotFoundError, NotAllowedError: there is none, or the viewer is no member.
    """
    return _inside(viewer, slug, Role.READER).memberships.select_related("user")


def invitation_list(*, viewer: User, slug: str) -> QuerySet[Invitation]:
    """The invitations of an organisation, closed ones too, for its admins.

    Raises:
        NotFoundError, NotAllowedError: there is none, or the viewer is no admin.
    """
    return _inside(viewer, slug, Role.ADMIN).invitations.select_related("invited_by")


def team_list(*, viewer: User, slug: str) -> QuerySet[Team]:
    """The teams of an organisation with members and grants, for its members.

    Raises:
        NotFoundError, NotAllowedError: there is none, or the viewer is no member.
    """
    teams = _inside(viewer, slug, Role.READER).teams.select_related("namespace")
    return teams.prefetch_related("members", "grants")


def team_get(*, viewer: User, slug: str, name: str) -> Team:
    """One team, for the members of its organisation.

    Raises:
        NotFoundError, NotAllowedError: there is none, or the viewer is no member.
    """
    team = team_list(viewer=viewer, slug=slug).filter(name=name).first()
    if team is None:
        raise no_team(organisation_get(viewer=viewer, slug=slug), name)
    return team


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which part of a log: `action` is `noun.verb` or a noun, `after` the id of the last known event."""

    namespace: str = ""
    action: str = ""
    after: int = 0


def event_list(*, viewer: User, query: EventQuery) -> QuerySet[AuditEvent]:
    """The log of a namespace, newest first, for its admins; of one's own where none is named.

    Raises:
        NotFoundError, NotAllowedError: there is none, or the viewer is no admin of it.
    """
    row = namespace_for(viewer, query.namespace, Role.ADMIN)
    rows = AuditEvent.objects.filter(namespace=row.slug, id__gt=query.after)
    if "." in query.action:
        return rows.filter(action=query.action)
    return rows.filter(action__startswith=f"{query.action}.") if query.action else rows


def _organisations(viewer: Any) -> QuerySet[Namespace]:
    return _with_role(Namespace.objects.filter(kind=Namespace.Kind.ORGANISATION), viewer)


def _with_role(rows: QuerySet[Namespace], viewer: Any) -> QuerySet[Namespace]:
    user = viewer if viewer is not None and viewer.is_authenticated else None
    own = Membership.objects.filter(namespace=OuterRef("pk"), user=user).values("role")
    return rows.annotate(role=Subquery(own))


def _inside(viewer: User, slug: str, least: Role) -> Namespace:
    """An organisation for those who hold a role in it."""
    organisation_get(viewer=viewer, slug=slug)
    return namespace_for(viewer, slug, least)
