"""Aliases of a vector: list, set, move, protect, delete, and what they were."""

from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.access import may
from registry.accounts.roles import Role
from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.preconditions import etag_of, guarded
from registry.api.schema import IF_MATCH, operation
from registry.api.v1.serializers.aliases import AliasBody, AliasEventSerializer, AliasSerializer
from registry.catalog.aliases import alias_delete, alias_set
from registry.catalog.models import Alias, Vector
from registry.catalog.selectors import alias_get, alias_history, alias_list, vector_get


class AliasList(Endpoint):
    """The aliases of a vector, by name; `latest` is none of them, it is computed."""

    pagination_class = Cursor

    @operation("vectors_aliases_list", answer=AliasSerializer(many=True))
    def get(self, request: Request, owner: str, name: str) -> Response:
        vector = vector_get(viewer=request.user, owner=owner, name=name)
        return self.render_page(AliasSerializer, alias_list(vector=vector))


class AliasEndpoint(Endpoint):
    """Answers with an alias and its ETag."""

    def with_etag(self, row: Alias, *, status: int = 200) -> Response:
        """The object and its ETag."""
        response = self.render(AliasSerializer, row, status=status)
        response["ETag"] = self.etag(row)
        return response

    def etag(self, row: Alias) -> str:
        """Over all that is said of it."""
        return etag_of(self.wire(AliasSerializer, row))

    def present(self, vector: Vector, alias: str) -> str | None:
        """The ETag of the alias that is there now; None where there is none."""
        row = Alias.objects.filter(vector=vector, name=alias).select_related("version").first()
        return self.etag(row) if row else None


class AliasGet(AliasEndpoint):
    """One alias. Its `ETag` is for `If-Match`."""

    @operation("vectors_aliases_get", answer=AliasSerializer)
    def get(self, request: Request, owner: str, name: str, alias: str) -> Response:
        vector = vector_get(viewer=request.user, owner=owner, name=name)
        return self.with_etag(alias_get(vector=vector, name=alias))


class AliasSet(AliasEndpoint):
    """Make an alias, move it, or change its protection, which takes the role admin."""

    @operation(
        "vectors_aliases_set",
        answer=AliasSerializer,
        request=AliasBody,
        parameters=[IF_MATCH],
        also={(201, "application/json"): AliasSerializer},
    )
    def put(self, request: Request, owner: str, name: str, alias: str) -> Response:
        body = self.parse(AliasBody, request.data)
        vector = vector_get(viewer=self.user, owner=owner, name=name)
        with guarded(request, Vector.objects.filter(pk=vector.pk), lambda: self.present(vector, alias)):
            row, is_new = alias_set(actor=self.user, owner=owner, name=name, alias=alias, **body)
        response = self.with_etag(row, status=201 if is_new else 200)
        response["Location"] = links.operation("alias", vector.owner.slug, vector.name, alias)
        return response


class AliasDelete(AliasEndpoint):
    """Take an alias away; its history stays."""

    @operation("vectors_aliases_delete", status=204, answer=None, parameters=[IF_MATCH])
    def delete(self, request: Request, owner: str, name: str, alias: str) -> Response:
        vector = vector_get(viewer=self.user, owner=owner, name=name)
        with guarded(request, Vector.objects.filter(pk=vector.pk), lambda: self.present(vector, alias)):
            alias_delete(actor=self.user, owner=owner, name=name, alias=alias)
        return Response(status=204)


class AliasHistory(Endpoint):
    """What an alias pointed at, newest first, also of one that is gone."""

    pagination_class = Cursor

    @operation("vectors_aliases_history", answer=AliasEventSerializer(many=True))
    def get(self, request: Request, owner: str, name: str, alias: str) -> Response:
        vector = vector_get(viewer=request.user, owner=owner, name=name)
        has_role = may(request.user, Role.READER, vector)
        rows = alias_history(vector=vector, name=alias)
        return self.render_page(AliasEventSerializer, rows, has_role=has_role)


class AliasItem(AliasGet, AliasSet, AliasDelete):
    """`/vectors/{owner}/{name}/aliases/{alias}`"""
