"""Create, check and revoke API tokens."""

import hashlib
import secrets
import string
import zlib
from datetime import datetime, timedelta

from django.utils import timezone

from registry.accounts.models import ApiToken, User
from registry.core.errors import InvalidError, NotFoundError
from registry.core.naming import row_id

# A fixed prefix and a checksum let secret scanners find leaked tokens without asking this service.
PREFIX = "brg_"
ALPHABET = string.digits + string.ascii_letters
SECRET_LENGTH = 32
CHECKSUM_LENGTH = 6


def token_create(
    *, user: User, name: str, scopes: list[str], expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token and return its row and its text, which is shown once and kept nowhere.

    Raises:
        InvalidError: no name, an unknown scope, or an expiry in the past.
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
    return token, text


def token_authenticate(*, text: str) -> ApiToken | None:
    """The active token with this text, or None. A wrong checksum is refused without a query."""
    secret = text.removeprefix(PREFIX)[:SECRET_LENGTH]
    if text != PREFIX + secret + _checksum(secret):
        return None
    token = ApiToken.objects.select_related("user").filter(sha256=_sha256(text)).first()
    if token is None or not token.is_active or not token.user.is_active:
        return None
    now = timezone.now()
    # One write a minute is enough to answer "is this token still in use?".
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def token_revoke(*, user: User, token_id: str) -> None:
    """Revoke a token of this user; revoking twice is no error.

    Raises:
        NotFoundError: the user has no such token.
    """
    token = ApiToken.objects.filter(user=user, pk=row_id(token_id)).first()
    if token is None:
        raise NotFoundError("you have no such token", code="token.not_found")
    if token.revoked_at is None:
        ApiToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(secret: str) -> str:
    """CRC32 in base 62, as code hosts do for theirs."""
    number, digits = zlib.crc32(secret.encode()), ""
    while number:
        number, remainder = divmod(number, 62)
        digits = ALPHABET[remainder] + digits
    return digits.rjust(CHECKSUM_LENGTH, "0")
