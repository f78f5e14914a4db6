"""Create, check and revoke API tokens, and delete users."""

import hashlib
import logging
import secrets
import string
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from registry.accounts.mail import mail_after_commit
from registry.accounts.models import ApiToken, Namespace, User
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.core.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotAuthenticatedError,
    NotFoundError,
)
from registry.core.naming import row_id

logger = logging.getLogger(__name__)

# A fixed prefix and a checksum let secret scanners find leaked tokens without asking this service.
PREFIX = "brg_"
ALPHABET = string.digits + string.ascii_letters
SECRET_LENGTH = 32
CHECKSUM_LENGTH = 6
MAX_LEAKS = 100
LEAKED = """Your access token "{name}" ({prefix}…) was found where others could read it, and reported to us.
It is revoked: programs that use it are refused from now on.

Look at what was done with it, and make a new token:

{page}
"""


@transaction.atomic
def token_create(
    *,
    user: User,
    name: str,
    scopes: list[str],
    expires_at: datetime | None = None,
    made_with: ApiToken | None = None,
) -> tuple[ApiToken, str]:
    """Make a token and return its row and its text, which is shown once and kept nowhere.

    Args:
        made_with: the token that asks for it; the new one may do no more and lives no longer.
    Raises:
        InvalidError: no name, an unknown scope, or an expiry in the past or after that of `made_with`.
        NotAllowedError: a scope that `made_with` lacks.
    """
    known = set(ApiToken.Scope.values)
    if not name.strip() or len(name) > 80:
        raise InvalidError("a token needs a name of at most 80 characters", code="token.name_invalid")
    if not scopes or set(scopes) - known:
        raise InvalidError(
            f"scopes {scopes!r} are not valid; choose from {sorted(known)}", code="token.scope_invalid"
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidError("the expiry lies in the past; choose a later one", code="token.expiry_invalid")
    if made_with is not None:
        expires_at = _within(made_with, scopes, expires_at)
    secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    text = PREFIX + secret + _checksum(secret)
    token = ApiToken.objects.create(
        user=user,
        name=name.strip(),
        prefix=text[:9],
        sha256=_sha256(text),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    record("token.created", subject=token.prefix, namespace=user.username, actor=user, scopes=token.scopes)
    return token, text


def token_authenticate(*, text: str) -> ApiToken:
    """The active token with this text. A wrong checksum is refused without a query; what is compared in the
    database is the sha256 alone.

    Raises:
        NotAuthenticatedError: no such token, or it is revoked, expired or of a user who may not sign in; the
            code says which.
    """
    token = None
    if _is_well_formed(text):
        token = ApiToken.objects.select_related("user").filter(sha256=_sha256(text)).first()
    if token is None:
        raise NotAuthenticatedError(
            "this token is not valid; send `Authorization: Bearer brg_…` with one from your settings page",
            code="token.invalid",
        )
    if token.revoked_at is not None:
        raise NotAuthenticatedError(
            f"the token {token.prefix}… is revoked; make a new one on your settings page",
            code="token.revoked",
        )
    if not token.is_active:
        raise NotAuthenticatedError(
            f"the token {token.prefix}… has expired; make a new one on your settings page",
            code="token.expired",
        )
    if not token.user.is_active:
        raise NotAuthenticatedError(
            f"the account of the token {token.prefix}… is closed; ask the operators",
            code="token.user_inactive",
        )
    now = timezone.now()
    # One write a minute is enough to answer "is this token still in use?".
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


@transaction.atomic
def token_revoke(*, user: User, token_id: str) -> None:
    """Revoke a token of this user; revoking twice is no error.

    Raises:
        NotFoundError: the user has no such token.
    """
    token = ApiToken.objects.filter(user=user, pk=row_id(token_id)).first()
    if token is None:
        raise NotFoundError("you have no such token", code="token.not_found")
    if _end(token):
        record("token.revoked", subject=token.prefix, namespace=user.username, actor=user, reason="asked")


@transaction.atomic
def leaked_tokens_revoke(*, texts: Sequence[str]) -> None:
    """Revoke those of these texts that are tokens, and tell their owners. Says nothing of which are: every
    text is hashed, and one query looks for all, whatever they are.

    Args:
        texts: at most `MAX_LEAKS`; the caller has checked.
    """
    digests = {_sha256(text) for text in texts}
    for token in ApiToken.objects.select_related("user").filter(sha256__in=digests):
        if not _end(token):
            continue
        record("token.revoked", subject=token.prefix, namespace=token.user.username, reason="leaked")
        logger.warning("leaked token revoked", extra={"token_id": token.pk})
        page = f"{settings.PUBLIC_URL}/settings/tokens/"
        mail_after_commit(
            to=token.user.email,
            subject="An access token of yours leaked and is revoked",
            text=LEAKED.format(name=token.name, prefix=token.prefix, page=page),
        )


@transaction.atomic
def user_delete(*, actor: User, user: User) -> None:
    """Delete a person with their tokens and memberships. Their namespace and what is in it stay; the name is
    never given to somebody else.

    Raises:
        ConflictError: they are the last owner of an organisation, or something that must stay names them.
    """
    organisations = Namespace.objects.filter(kind=Namespace.Kind.ORGANISATION)
    owned = organisations.filter(memberships__user=user, memberships__role=Role.OWNER)
    for row in owned.select_for_update(no_key=True, of=("self",)):
        if not row.memberships.filter(role=Role.OWNER).exclude(user=user).exists():
            raise ConflictError(
                f"{user.username} is the last owner of {row}; name another owner first",
                code="member.last_owner",
            )
    record("user.deleted", subject=user.username, namespace=user.username, actor=actor)
    try:
        user.delete()
    except ProtectedError as error:
        raise ConflictError(
            f"runs or answers to blind tests name {user.username}, and they stay; close the account instead, "
            "by making it inactive",
            code="user.in_use",
        ) from error


def _within(maker: ApiToken, scopes: list[str], expires_at: datetime | None) -> datetime | None:
    """The expiry of a token that is made with another one."""
    if missing := sorted(set(scopes) - set(maker.scopes)):
        raise NotAllowedError(
            f"this token lacks the scopes {', '.join(missing)}, so it cannot make one that has them; "
            "make it on your settings page",
            code="token.scope_missing",
        )
    if maker.expires_at is None:
        return expires_at
    if expires_at is not None and expires_at > maker.expires_at:
        raise InvalidError(
            f"the token that asks expires at {maker.expires_at:%Y-%m-%dT%H:%M:%SZ}; choose no later expiry",
            code="token.expiry_invalid",
            fields={"expires_at": "too late"},
        )
    return expires_at or maker.expires_at


def _end(token: ApiToken) -> bool:
    """Whether this call was the one that revoked it."""
    return bool(ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()))


def _is_well_formed(text: str) -> bool:
    secret = text.removeprefix(PREFIX)[:SECRET_LENGTH]
    return text == PREFIX + secret + _checksum(secret)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(secret: str) -> str:
    """CRC32 in base 62, as code hosts do for theirs."""
    number, digits = zlib.crc32(secret.encode()), ""
    while number:
        number, remainder = divmod(number, 62)
        digits = ALPHABET[remainder] + digits
    return digits.rjust(CHECKSUM_LENGTH, "0")
