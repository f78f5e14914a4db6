"""Access tokens: list, make and revoke one's own, and report those that leaked."""

import uuid

from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.models import ApiToken
from registry.accounts.selectors import token_list
from registry.accounts.services import leaked_tokens_revoke, token_create, token_revoke
from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.permissions import TokenReadOrScopedManage
from registry.api.schema import operation
from registry.api.v1.serializers.tokens import LeakBody, NewTokenSerializer, TokenBody, TokenSerializer


class TokenList(Endpoint):
    """Your tokens that are not revoked, newest first."""

    permission_classes = [TokenReadOrScopedManage]
    pagination_class = Cursor

    @operation("tokens_list", answer=TokenSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.render_page(TokenSerializer, token_list(user=self.user))


class TokenCreate(Endpoint):
    """Make a token. It has no scope that the asking one lacks, and lives no longer."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("tokens_create", status=201, answer=NewTokenSerializer, request=TokenBody)
    def post(self, request: Request) -> Response:
        body = self.parse(TokenBody, request.data)
        maker = request.auth if isinstance(request.auth, ApiToken) else None
        row, text = token_create(user=self.user, made_with=maker, **body)
        return Response({**self.wire(TokenSerializer, row), "token": text}, status=201)


class TokenRevoke(Endpoint):
    """Revoke one of your tokens, also the one that asks; requests with it are refused from then on."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("tokens_revoke", status=204, answer=None)
    def delete(self, request: Request, token_id: uuid.UUID) -> Response:
        token_revoke(user=self.user, token_id=str(token_id))
        return Response(status=204)


class LeakReport(Endpoint):
    """Report tokens that leaked, without a token of your own: those that are real are revoked, and their
    owners are told. The answer never says which are.
    """

    authentication_classes = []
    permission_classes = []
    bucket = "leaks"

    @operation("credentials_revoke", status=202, answer=None, request=LeakBody)
    def post(self, request: Request) -> Response:
        leaked_tokens_revoke(texts=self.parse(LeakBody, request.data)["tokens"])
        return Response(status=202)


class TokenCollection(TokenList, TokenCreate):
    """`/tokens`"""
