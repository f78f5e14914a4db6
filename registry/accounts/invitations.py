"""Invitations: the only way into an organisation. The text in the link is shown and mailed once; its sha256
is kept.
"""

import hashlib
import secrets
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from registry.accounts.mail import mail_after_commit
from registry.accounts.models import Invitation, Membership, User
from registry.accounts.organisations import check_gives, checked_role, organisation_locked
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.core.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    QuotaExceededError,
)
from registry.core.naming import row_id

VALID_FOR = timedelta(days=7)
MAX_OPEN = 100
MAIL = """{inviter} invites you to the organisation {slug} on Bearing, as {role}.

Open this link within seven days, signed in with an account of this e-mail address:

{link}

If you did not expect this, do nothing: nobody can join with it but you.
"""


@transaction.atomic
def invitation_create(*, actor: User, slug: str, email: str, role: str) -> tuple[Invitation, str]:
    """Invite whoever reads this address, by mail; an open invitation of theirs ends.

    Returns:
        the row and the text of its link, which is kept nowhere.
    Raises:
        NotFoundError: there is no such organisation.
        NotAllowedError: the actor may not give this role.
        InvalidError: not an address, or an unknown role.
        QuotaExceededError: too many invitations are open.
    """
    row, own = organisation_locked(actor, slug, Role.ADMIN)
    wanted = checked_role(role)
    check_gives(own, wanted)
    email = _checked_email(email)
    now = timezone.now()
    waiting = row.invitations.filter(accepted_at=None, revoked_at=None, expires_at__gt=now)
    waiting.filter(email=email).update(revoked_at=now)
    if waiting.count() >= MAX_OPEN:
        raise QuotaExceededError(
            f"{MAX_OPEN} invitations to {row} wait for an answer; revoke some, or wait",
            code="invitation.quota",
        )
    text = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        namespace=row,
        email=email,
        role=wanted,
        sha256=_sha256(text),
        invited_by=actor,
        expires_at=now + VALID_FOR,
    )
    record("invitation.created", subject=email, namespace=row, actor=actor, role=wanted.value)
    mail_after_commit(
        to=email,
        subject=f"You are invited to {row} on Bearing",
        text=MAIL.format(inviter=actor.username, slug=row, role=wanted.value, link=invitation_link(text)),
    )
    return invitation, text


def invitation_link(text: str) -> str:
    """The page on which an invitation is accepted."""
    return f"{settings.PUBLIC_URL}/invitations/{text}"


@transaction.atomic
def invitation_revoke(*, actor: User, slug: str, invitation_id: str) -> None:
    """Take an invitation back; doing it twice is no error.

    Raises:
        NotFoundError: there is no such organisation or invitation.
        NotAllowedError: the actor is not an admin.
        ConflictError: it was accepted.
    """
    row, _ = organisation_locked(actor, slug, Role.ADMIN)
    invitation = row.invitations.filter(pk=row_id(invitation_id)).first()
    if invitation is None:
        raise NotFoundError(f"{row} has no such invitation", code="invitation.not_found")
    if invitation.accepted_at:
        raise ConflictError(
            "this invitation was accepted; remove the member instead", code="invitation.closed"
        )
    if invitation.revoked_at is None:
        invitation.revoked_at = timezone.now()
        invitation.save(update_fields=["revoked_at"])
        record("invitation.revoked", subject=invitation.email, namespace=row, actor=actor)


def invitation_get(*, viewer: User, text: str) -> Invitation:
    """The open invitation with this text, for whom it was sent to.

    Raises:
        NotFoundError: there is none.
        NotAllowedError: it is for another address, or theirs is not verified.
        ConflictError: it was accepted or revoked, or has expired.
    """
    rows = Invitation.objects.select_related("namespace", "invited_by")
    invitation = rows.filter(sha256=_sha256(text)).first()
    if invitation is None:
        raise NotFoundError(
            "there is no such invitation; copy the whole link, or ask for a new one",
            code="invitation.not_found",
        )
    _check_is_for(viewer, invitation)
    _check_is_open(invitation)
    return invitation


@transaction.atomic
def invitation_accept(*, actor: User, text: str) -> Membership:
    """Become a member by the text of an invitation.

    Raises:
        NotFoundError, NotAllowedError: as `invitation_get`.
        ConflictError: it is not open any more, whoever sent it may not invite any more, or the actor is a
            member already.
    """
    row = invitation_get(viewer=actor, text=text).namespace
    # The organisation is locked, so two acceptances of one invitation come after each other.
    type(row).objects.select_for_update(no_key=True).get(pk=row.pk)
    invitation = invitation_get(viewer=actor, text=text)
    _check_still_given(invitation)
    if row.memberships.filter(user=actor).exists():
        raise ConflictError(f"you are a member of {row} already", code="member.exists")
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    member = Membership.objects.create(namespace=row, user=actor, role=invitation.role)
    record(
        "member.joined",
        subject=actor.username,
        namespace=row,
        actor=actor,
        role=member.role,
        invited_by=invitation.invited_by.username,
    )
    return member


def _check_is_for(viewer: User, invitation: Invitation) -> None:
    addresses = EmailAddress.objects.filter(user=viewer, email__iexact=invitation.email)
    is_own = viewer.email.lower() == invitation.email
    if any(address.verified for address in addresses):
        return
    if addresses or is_own:
        raise NotAllowedError(
            "verify your e-mail address first, on the page /accounts/email/; then open this link again",
            code="invitation.email_unverified",
        )
    raise NotAllowedError(
        "this invitation is for another e-mail address; sign in with the account that has it",
        code="invitation.other_email",
    )


def _check_is_open(invitation: Invitation) -> None:
    if invitation.is_open:
        return
    state = "accepted" if invitation.accepted_at else "revoked" if invitation.revoked_at else "too old"
    raise ConflictError(
        f"this invitation is {state}; ask an admin of {invitation.namespace} for a new one",
        code="invitation.closed",
    )


def _check_still_given(invitation: Invitation) -> None:
    """An invitation is worth what its sender may give now."""
    sender = Membership.objects.filter(namespace=invitation.namespace, user=invitation.invited_by).first()
    try:
        check_gives(Role(sender.role) if sender else Role.READER, Role(invitation.role))
    except NotAllowedError as error:
        raise ConflictError(
            f"{invitation.invited_by.username} may not give this role any more; "
            f"ask an admin of {invitation.namespace} for a new invitation",
            code="invitation.closed",
        ) from error


def _checked_email(email: str) -> str:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidError(
            f"{email!r} is not an e-mail address", code="email.invalid", fields={"email": "not an address"}
        ) from error
    return email


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
