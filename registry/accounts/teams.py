"""Teams: members of an organisation with a further role on some of its names. Admins keep them."""

from django.db import transaction

from registry.accounts.models import Namespace, Team, TeamGrant, User
from registry.accounts.organisations import check_gives, checked_role, organisation_locked
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.core.errors import ConflictError, InvalidError, NotFoundError
from registry.core.naming import check_slug


@transaction.atomic
def team_create(*, actor: User, slug: str, name: str) -> Team:
    """A team without members and grants.

    Raises:
        NotFoundError, NotAllowedError: there is no such organisation, or the actor is not an admin of it.
        InvalidError: the name is not a slug.
        ConflictError: there is a team of this name.
    """
    row, _ = organisation_locked(actor, slug, Role.ADMIN)
    _check_name_is_free(row, name)
    team = Team.objects.create(namespace=row, name=name)
    record("team.created", subject=team, namespace=row, actor=actor)
    return team


@transaction.atomic
def team_rename(*, actor: User, slug: str, team: str, name: str) -> Team:
    """Give a team another name; its members and grants stay.

    Raises:
        as `team_create`; NotFoundError also where there is no such team.
    """
    row, _ = organisation_locked(actor, slug, Role.ADMIN)
    found = _team(row, team)
    if name != found.name:
        _check_name_is_free(row, name)
        found.name = name
        found.save(update_fields=["name"])
        record("team.renamed", subject=found, namespace=row, actor=actor, was=team)
    return found


@transaction.atomic
def team_delete(*, actor: User, slug: str, team: str) -> None:
    """End a team and what it was granted; its members stay in the organisation.

    Raises:
        NotFoundError, NotAllowedError: there is no such team, or the actor is not an admin.
    """
    row, own = organisation_locked(actor, slug, Role.ADMIN)
    found = _team(row, team)
    check_gives(own, Role.READER, *(Role(grant.role) for grant in found.grants.all()))
    record("team.deleted", subject=found, namespace=row, actor=actor)
    found.delete()


@transaction.atomic
def team_member_add(*, actor: User, slug: str, team: str, username: str) -> Team:
    """Put a member of the organisation into a team; doing it twice is no error.

    Raises:
        NotFoundError: no such organisation, team or member.
        NotAllowedError: the actor may not give what the team was granted.
    """
    row, own = organisation_locked(actor, slug, Role.ADMIN)
    found = _team(row, team)
    check_gives(own, Role.READER, *(Role(grant.role) for grant in found.grants.all()))
    user = row.members.filter(username=username).first()
    if user is None:
        raise NotFoundError(
            f"{row} has no member {username!r}; invite them to the organisation first",
            code="member.not_found",
        )
    if not found.members.filter(pk=user.pk).exists():
        found.members.add(user)
        record("team.member_added", subject=found, namespace=row, actor=actor, username=username)
    return found


@transaction.atomic
def team_member_remove(*, actor: User, slug: str, team: str, username: str) -> None:
    """Take somebody out of a team; they stay in the organisation. Everybody may leave a team.

    Raises:
        NotFoundError: no such organisation or team, or they are not in it.
        NotAllowedError: the actor may not take away what the team was granted.
    """
    row, own = organisation_locked(actor, slug, Role.READER)
    found = _team(row, team)
    user = found.members.filter(username=username).first()
    if user is None:
        raise NotFoundError(f"{username!r} is not in the team {found.name}", code="member.not_found")
    if user.pk != actor.pk:
        check_gives(own, Role.READER, *(Role(grant.role) for grant in found.grants.all()))
    found.members.remove(user)
    record("team.member_removed", subject=found, namespace=row, actor=actor, username=username)


@transaction.atomic
def grant_set(*, actor: User, slug: str, team: str, name: str, role: str) -> TeamGrant:
    """Give a team a role on whatever in its organisation has this name, in place of the one it had.

    Raises:
        NotFoundError: no such organisation or team.
        NotAllowedError: the actor may not give or take such a role.
        InvalidError: not a name, an unknown role, or `owner`, which is for organisations as a whole.
    """
    row, own = organisation_locked(actor, slug, Role.ADMIN)
    found = _team(row, team)
    check_slug(name, what="name")
    wanted = checked_role(role)
    if wanted is Role.OWNER:
        raise InvalidError(
            "a team cannot own a name, since its organisation does; grant reader, writer or admin",
            code="role.invalid",
            fields={"role": "not for teams"},
        )
    before = found.grants.filter(name=name).first()
    check_gives(own, wanted, *([Role(before.role)] if before else []))
    grant, _ = TeamGrant.objects.update_or_create(team=found, name=name, defaults={"role": wanted})
    if before is None or before.role != wanted:
        record("team.granted", subject=found, namespace=row, actor=actor, name=name, role=wanted.value)
    return grant


@transaction.atomic
def grant_remove(*, actor: User, slug: str, team: str, name: str) -> None:
    """Take a team's role on a name away.

    Raises:
        NotFoundError: no such organisation, team or grant.
        NotAllowedError: the actor may not take such a role.
    """
    row, own = organisation_locked(actor, slug, Role.ADMIN)
    found = _team(row, team)
    grant = found.grants.filter(name=name).first()
    if grant is None:
        raise NotFoundError(f"the team {found.name} has no role on {name!r}", code="grant.not_found")
    check_gives(own, Role(grant.role))
    grant.delete()
    record("team.grant_removed", subject=found, namespace=row, actor=actor, name=name, role=str(grant.role))


def no_team(row: Namespace, name: str) -> NotFoundError:
    """What is said where an organisation has no team of this name."""
    return NotFoundError(f"{row} has no team {name!r}", code="team.not_found")


def _team(row: Namespace, name: str) -> Team:
    team = row.teams.filter(name=name).first()
    if team is None:
        raise no_team(row, name)
    return team


def _check_name_is_free(row: Namespace, name: str) -> None:
    check_slug(name, what="name")
    if row.teams.filter(name=name).exists():
        raise ConflictError(f"{row} has a team {name!r} already; choose another name", code="team.exists")
