"""Find vectors: by words and facets, by direction, and by base model."""

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.schema import operation
from registry.api.v1.serializers.discovery import (
    FacetsSerializer,
    FitQuery,
    FitSerializer,
    SimilarListSerializer,
    SimilarQuery,
    VectorQuery,
    wanted_of,
)
from registry.api.v1.serializers.vectors import VectorSerializer
from registry.catalog.selectors import version_get
from registry.discovery.compatible import compatible_list
from registry.discovery.facets import facet_counts
from registry.discovery.search import vector_search
from registry.discovery.similar import similar_list


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


class VersionSimilar(Endpoint):
    """Vectors for the same base model that point like this version, or against it."""

    @operation("vectors_version_similar", answer=SimilarListSerializer, parameters=[SimilarQuery])
    def get(self, request: Request, owner: str, name: str, ref: str) -> Response:
        limit = self.parse(SimilarQuery, request.query_params)["limit"]
        version = version_get(viewer=request.user, owner=owner, name=name, reference=ref)
        items = similar_list(viewer=request.user, version=version, limit=limit)
        return self.render(SimilarListSerializer, {"items": items})


class BaseModelVectors(Endpoint):
    """Published vectors that work with a base model revision, or may be carried over to it."""

    pagination_class = Cursor

    @operation("base_models_vectors", answer=FitSerializer(many=True), parameters=[FitQuery])
    def get(self, request: Request, model_hash: str) -> Response:
        fit = self.parse(FitQuery, request.query_params)["fit"]
        rows = compatible_list(viewer=request.user, model_hash=model_hash, fit=fit, related=("downloads",))
        return self.render_page(FitSerializer, rows)
