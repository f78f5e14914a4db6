"""Who may call an operation at all. Which rows somebody may see is decided by the selectors."""

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from registry.accounts.models import ApiToken
from registry.core.errors import NotAllowedError


class ReadOrScopedWrite(BasePermission):
    """Everybody reads what is public; changing anything takes a token with the scope `write`."""

    scope = ApiToken.Scope.WRITE

    def allows_anonymous(self, method: str) -> bool:
        """Whether this method works without a token; the OpenAPI document says so too."""
        return method in SAFE_METHODS

    def has_permission(self, request: Request, view: object) -> bool:
        method = str(request.method)
        if self.allows_anonymous(method):
            return True
        if not isinstance(request.auth, ApiToken):
            return False
        if method not in SAFE_METHODS:
            self.check_scope(request.auth)
        return True

    def check_scope(self, token: ApiToken) -> None:
        """Refuse a token that was not made for this.

        Raises:
            NotAllowedError: the token lacks the scope.
        """
        if self.scope not in token.scopes:
            raise NotAllowedError(
                f"this token has the scopes {', '.join(token.scopes)}; "
                f"make one with the scope `{self.scope.value}` on your settings page",
                code="token.scope_missing",
            )


class TokenReadOrScopedWrite(ReadOrScopedWrite):
    """For what belongs to one user alone: reading takes a token too."""

    def allows_anonymous(self, method: str) -> bool:
        return False


class ReadOrScopedManage(ReadOrScopedWrite):
    """Everybody reads what is public; changing organisations and the like takes the scope `manage`."""

    scope = ApiToken.Scope.MANAGE


class TokenReadOrScopedManage(ReadOrScopedManage, TokenReadOrScopedWrite):
    """For what members alone see: reading takes a token too, changing the scope `manage`."""


class AnyToken(TokenReadOrScopedWrite):
    """For operations that store nothing: a token that may only read will do."""

    def check_scope(self, token: ApiToken) -> None:
        return None
