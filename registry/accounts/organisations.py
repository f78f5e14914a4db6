"""Organisations and who belongs to them. The way in is an invitation (`invitations`); what a role allows is
decided in `access`.

Every change locks the organisation's row first, so that roles are read as they are when it happens.
"""

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction

from registry.accounts.access import namespace_for
from registry.accounts.models import Membership, Namespace, Team, User
from registry.accounts.names import name_race, owner_name_problem
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.core.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    QuotaExceededError,
)

MAX_ORGANISATIONS_OWNED = 20
_LIMITS = {"title": 120, "description": 500, "website": 200}
_is_address = URLValidator(schemes=["http", "https"])


def organisation_create(
    *, actor: User, slug: str, title: str = "", description: str = "", website: str = ""
) -> Namespace:
    """A new organisation, owned by whoever makes it. Its name is for good.

    Raises:
        InvalidError: not a slug, or reserved; a text is too long.
        ConflictError: the name, or one that looks like it, is taken.
        QuotaExceededError: the actor owns as many as one may.
    """
    texts = checked_words(title=title, description=description, website=website)
    if problem := owner_name_problem(slug):
        raise problem
    owned = actor.memberships.filter(role=Role.OWNER, namespace__kind=Namespace.Kind.ORGANISATION).count()
    if owned >= MAX_ORGANISATIONS_OWNED:
        raise QuotaExceededError(
            f"you own {owned} organisations, as many as one person may; hand one over first",
            code="organisation.quota",
        )
    with name_race():
        row = Namespace.objects.create(slug=slug, kind=Namespace.Kind.ORGANISATION, **texts)
        Membership.objects.create(namespace=row, user=actor, role=Role.OWNER)
        record("organisation.created", subject=row, namespace=row, actor=actor)
    return row


@transaction.atomic
def organisation_update(*, actor: User, slug: str, **changes: str | None) -> Namespace:
    """Change the words around an organisation.

    Args:
        changes: of `title`, `description` and `website` those that are not None.
    Raises:
        NotFoundError, NotAllowedError: there is none, or the actor is not an admin of it.
        InvalidError: a text is too long, or the website is no address.
    """
    row, _ = organisation_locked(actor, slug, Role.ADMIN)
    return _say(row, actor, "organisation.updated", changes)


@transaction.atomic
def profile_update(*, actor: User, **changes: str | None) -> Namespace:
    """Change the words around a person, on their own profile; as `organisation_update`.

    Raises:
        InvalidError: a text is too long, or the website is no address.
    """
    row = Namespace.objects.select_for_update(no_key=True).get(slug=actor.username)
    return _say(row, actor, "profile.updated", changes)


@transaction.atomic
def member_update(*, actor: User, slug: str, username: str, role: str) -> Membership:
    """Give a member another role; it counts from the next request on.

    Raises:
        NotFoundError: no such organisation or member.
        NotAllowedError: the actor may not give or take such a role.
        ConflictError: it would leave the organisation without an owner.
    """
    row, own = organisation_locked(actor, slug, Role.READER)
    wanted = checked_role(role)
    member = _member(row, username)
    steps_down = member.user_id == actor.pk and wanted.rank <= Role(member.role).rank
    if not steps_down:
        check_gives(own, Role(member.role), wanted)
    if wanted != member.role:
        _check_owner_stays(row, member, wanted)
        before, member.role = member.role, wanted
        member.save(update_fields=["role"])
        record(
            "member.role_changed",
            subject=username,
            namespace=row,
            actor=actor,
            role=wanted.value,
            was=str(before),
        )
    return member


@transaction.atomic
def member_remove(*, actor: User, slug: str, username: str) -> None:
    """Take somebody out of an organisation and its teams; everybody may leave.

    Raises:
        NotFoundError: no such organisation or member.
        NotAllowedError: the actor may not take such a role away.
        ConflictError: it would leave the organisation without an owner.
    """
    row, own = organisation_locked(actor, slug, Role.READER)
    member = _member(row, username)
    leaves = member.user_id == actor.pk
    if not leaves:
        check_gives(own, Role(member.role))
    _check_owner_stays(row, member, None)
    Team.members.through.objects.filter(team__namespace=row, user=member.user_id).delete()
    member.delete()
    action = "member.left" if leaves else "member.removed"
    record(action, subject=username, namespace=row, actor=actor, role=str(member.role))


def organisation_locked(actor: User, slug: str, least: Role) -> tuple[Namespace, Role]:
    """An organisation, locked until the transaction ends, and the actor's role in it.

    Raises:
        NotFoundError: there is no organisation of this name.
        NotAllowedError: the actor's role is lower.
    """
    found = Namespace.objects.select_for_update(no_key=True).filter(
        slug=slug, kind=Namespace.Kind.ORGANISATION
    )
    row = found.first()
    if row is None:
        raise no_organisation(slug)
    namespace_for(actor, slug, least)
    return row, Role(Membership.objects.get(namespace=row, user=actor).role)


def no_organisation(slug: str) -> NotFoundError:
    """What is said where no organisation has this name."""
    return NotFoundError(f"there is no organisation {slug!r}", code="organisation.not_found")


def checked_role(role: str) -> Role:
    """The role of this name.

    Raises:
        InvalidError: there is none.
    """
    if role not in Role.values:
        raise InvalidError(
            f"role {role!r} is not known; choose one of {', '.join(Role.values)}",
            code="role.invalid",
            fields={"role": "unknown"},
        )
    return Role(role)


def roles_given_by(own: Role) -> list[Role]:
    """The roles that somebody with a role may give to others, and take."""
    if own is Role.OWNER:
        return list(Role)
    return [role for role in Role if role.rank < own.rank] if own is Role.ADMIN else []


def check_gives(own: Role, *touched: Role) -> None:
    """Whether somebody with a role may give or take others: admins those below theirs, owners all.

    Raises:
        NotAllowedError: says which role it takes.
    """
    highest = max(touched, key=lambda role: role.rank)
    if own is Role.OWNER or (own is Role.ADMIN and highest.rank < own.rank):
        return
    least = Role.ADMIN if highest.rank < Role.ADMIN.rank else Role.OWNER
    raise NotAllowedError(
        f"you are {own.value} here; to give or take the role {highest.value} takes the role {least.value}",
        code="access.role_needed",
    )


def _member(row: Namespace, username: str) -> Membership:
    member = row.memberships.filter(user__username=username).select_related("user").first()
    if member is None:
        raise NotFoundError(f"{row} has no member {username!r}", code="member.not_found")
    return member


def _check_owner_stays(row: Namespace, member: Membership, wanted: Role | None) -> None:
    if member.role != Role.OWNER or wanted is Role.OWNER:
        return
    if not row.memberships.filter(role=Role.OWNER).exclude(pk=member.pk).exists():
        raise ConflictError(
            f"{member.user.username} is the last owner of {row}; name another owner first",
            code="member.last_owner",
        )


def checked_words(**words: str) -> dict[str, str]:
    """The words around a namespace, without spaces around them.

    Raises:
        InvalidError: a text is too long, or the website is no address.
    """
    for field, text in words.items():
        if len(text) > _LIMITS[field]:
            raise InvalidError(
                f"the {field} has {len(text)} characters; {_LIMITS[field]} are allowed",
                code="text.too_long",
                fields={field: "too long"},
            )
    found = {field: text.strip() for field, text in words.items()}
    if website := found.get("website"):
        try:
            _is_address(website)
        except ValidationError as error:
            raise InvalidError(
                f"{website!r} is no web address; expected one such as https://example.org",
                code="website.invalid",
                fields={"website": "not an address"},
            ) from error
    return found


def _say(row: Namespace, actor: User, action: str, changes: dict[str, str | None]) -> Namespace:
    words = checked_words(**{key: text for key, text in changes.items() if text is not None})
    changed = sorted(field for field, text in words.items() if getattr(row, field) != text)
    for field in changed:
        setattr(row, field, words[field])
    if changed:
        row.save(update_fields=changed)
        record(action, subject=row, namespace=row, actor=actor, fields=changed)
    return row
