"""Read users and tokens."""

from django.db.models import QuerySet

from registry.accounts.models import ApiToken, User
from registry.core.errors import NotFoundError


def owner_get(*, username: str) -> User:
    """The active user of this name.

    Raises:
        NotFoundError: nobody has this name.
    """
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFoundError(f"nobody is called {username!r} here", code="owner.not_found")
    return user


def token_list(*, user: User) -> QuerySet[ApiToken]:
    """The user's tokens that are not revoked, newest first."""
    return ApiToken.objects.filter(user=user, revoked_at=None)
