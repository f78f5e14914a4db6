"""`Authorization: Bearer brg_…`. There is no session in the REST interface, so it needs no CSRF token."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from registry.accounts.models import ApiToken, User
from registry.accounts.services import token_authenticate
from registry.core.errors import NotAuthenticatedError


class BearerAuthentication(BaseAuthentication):
    """Sets `request.user` and `request.auth` from an API token; without the header, nobody is asking."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _, text = header.partition(" ")
        try:
            token = token_authenticate(text=text.strip() if scheme.lower() == "bearer" else "")
        except NotAuthenticatedError as error:
            raise AuthenticationFailed(error.message, code=error.code) from error
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
