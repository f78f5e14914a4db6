"""Find vectors: search and count by facets."""

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.schema import operation
from registry.api.v1.serializers.discovery import FacetsSerializer, VectorQuery, wanted_of
from registry.api.v1.serializers.vectors import VectorSerializer
from registry.discovery.facets import facet_counts
from registry.discovery.search import vector_search


class VectorSearch(Endpoint):
    """Published vectors that you may see, the most relevant first."""

    pagination_class = Cursor

    @operation("vectors_search", answer=VectorSerializer(many=True), parameters=[VectorQuery])
    def get(self, request: Request) -> Response:
        wanted = wanted_of(self.parse(VectorQuery, request.query_params))
        viewer = self.user if wanted.mine else request.user
        return self.render_page(
            VectorSerializer, vector_search(viewer=viewer, wanted=wanted, related=("downloads",))
        )


class VectorFacets(Endpoint):
    """How many of the vectors that a search finds have which value of each facet."""

    @operation("vectors_facets", answer=FacetsSerializer, parameters=[VectorQuery])
    def get(self, request: Request) -> Response:
        wanted = wanted_of(self.parse(VectorQuery, request.query_params))
        counts = facet_counts(viewer=self.user if wanted.mine else request.user, wanted=wanted)
        facets = {
            name: [{"value": value, "count": n} for value, n in values]
            for name, values in counts.values.items()
        }
        body = {"total": counts.total, "approximate": counts.is_approximate, "facets": facets}
        return self.render(FacetsSerializer, body)
