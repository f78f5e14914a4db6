"""`Authorization: Bearer brg_…`. There is no session in the REST interface, so it needs no CSRF token."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from registry.accounts.models import ApiToken, User
from registry.accounts.services import token_authenticate


class BearerAuthentication(BaseAuthentication):
    """Sets `request.user` and `request.auth` from an API token; without the header, nobody is asking."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _, text = header.partition(" ")
        token = token_authenticate(text=text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise AuthenticationFailed(
                "this token is not valid (wrong, expired or revoked); send `Authorization: Bearer brg_…` "
                "with a token from your settings page"
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
