"""Searches, facets, similar vectors and what fits a base model, on the wire."""

from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework import serializers

from registry.api import links
from registry.api.v1.serializers.vectors import VectorSerializer
from registry.catalog.states import Access, Domain, Grade, License, Verdict
from registry.discovery.compatible import HINTS, Fit
from registry.discovery.search import ORDERS, Wanted
from registry.discovery.similar import Similar
from steering_core.spec import METHODS, SITES

MAX_VALUES = 20


def _any_of(help_text: str, **text: Any) -> serializers.ListField:
    """A parameter that may be repeated; one of its values is enough."""
    field = serializers.CharField(max_length=200, **text)
    return serializers.ListField(child=field, required=False, max_length=MAX_VALUES, help_text=help_text)


def _one_of(choices: Any, help_text: str) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.ChoiceField(choices=choices),
        required=False,
        max_length=MAX_VALUES,
        help_text=help_text,
    )


class VectorQuery(serializers.Serializer[Any]):
    """What to search for. Of a repeated parameter one value is enough; different ones all have to fit."""

    q = serializers.CharField(
        required=False,
        max_length=200,
        allow_blank=True,
        help_text="Words, each of which some word of the vector begins with; or a model hash.",
    )
    owner = serializers.CharField(required=False, max_length=64)
    base_model = _any_of("Name or model hash.")
    model_hash = _any_of("Of the newest version.")
    family = _any_of("Architecture of the base model: `Llama`, `Qwen3Moe`.")
    trait = _any_of("As its owner calls it, in any case.")
    domain = _one_of(Domain.choices, "Its shelf in the catalog.")
    method = _any_of(f"{', '.join(METHODS)}, …")
    site = _any_of(f"Where it is strongest: {', '.join(SITES)}.")
    verdict = _one_of(Verdict.choices, "Of the newest version.")
    grade = _one_of(Grade.choices, "Of the newest version.")
    license = _one_of(License.choices, "SPDX identifier.")
    language = _any_of("BCP 47 tag.")
    access = _one_of(Access.choices, "Who may have the files: open to all, gated, or paid.")
    since = serializers.DateField(required=False, help_text="Newest version published on this day or later.")
    sort = serializers.ChoiceField(choices=tuple(ORDERS), required=False, default="relevance")
    mine = serializers.BooleanField(
        required=False, default=False, help_text="Your own, unpublished ones too."
    )


# Parameters that are facets as they stand; the others are compared in lower case.
_FACETS = (
    "base_model",
    "model_hash",
    "family",
    "domain",
    "method",
    "site",
    "verdict",
    "grade",
    "license",
    "access",
)


def wanted_of(query: dict[str, Any]) -> Wanted:
    """The search that a validated query string asks for."""
    facets = {name: tuple(query.get(name, ())) for name in _FACETS}
    facets |= {name: tuple(v.lower() for v in query.get(name, ())) for name in ("trait", "language")}
    since = query.get("since")
    return Wanted(
        text=query.get("q", ""),
        owner=query.get("owner", ""),
        facets=facets,
        since=datetime.combine(since, time.min, ZoneInfo("UTC")) if since else None,
        mine=query["mine"],
        sort=query["sort"],
    )


class FacetValueSerializer(serializers.Serializer[Any]):
    """A value of a facet and how many of the vectors found have it."""

    value = serializers.CharField()
    count = serializers.IntegerField()


class FacetsSerializer(serializers.Serializer[Any]):
    """What a search can be narrowed down by."""

    total = serializers.IntegerField(help_text="How many vectors were found.")
    approximate = serializers.BooleanField(
        help_text="There are more than were counted: every number is a least one."
    )
    facets = serializers.DictField(child=FacetValueSerializer(many=True))


class SimilarQuery(serializers.Serializer[Any]):
    """How many to show."""

    limit = serializers.IntegerField(required=False, default=10, min_value=1, max_value=20)


class SimilarSerializer(serializers.Serializer[Any]):
    """A version that points like another, or against it."""

    reference = serializers.CharField(source="version", help_text="owner/name@version")
    digest = serializers.CharField(source="version.digest")
    title = serializers.CharField(source="version.vector.title")
    verdict = serializers.CharField(source="version.verdict")
    grade = serializers.CharField(source="version.grade")
    cosine = serializers.FloatField(help_text="Of the directions, with its sign.")
    relation = serializers.ChoiceField(choices=["near_duplicate", "sign_flipped", "similar"])
    url = serializers.SerializerMethodField()

    def get_url(self, row: Similar) -> str | None:
        return links.version_page(row.version)


class SimilarListSerializer(serializers.Serializer[Any]):
    """The most alike first, with either sign."""

    items = SimilarSerializer(many=True)


class FitQuery(serializers.Serializer[Any]):
    """How well vectors have to fit."""

    fit = serializers.ChoiceField(
        choices=tuple(HINTS),
        required=False,
        default="exact",
        help_text="For this revision; for another of the same architecture, blocks and width; for another "
        "model of the same architecture.",
    )


class FitSerializer(serializers.Serializer[Any]):
    """A vector that fits a base model, and its highest version that does."""

    reference = serializers.CharField(source="version", help_text="owner/name@version")
    digest = serializers.CharField(source="version.digest")
    model_hash = serializers.CharField(source="version.base_model.model_hash")
    fit = serializers.ChoiceField(choices=tuple(HINTS))
    hint = serializers.SerializerMethodField(help_text="What to do before it is used; empty if nothing.")
    vector = VectorSerializer()

    @staticmethod
    def prepare(rows: list[Fit], viewer: Any) -> None:
        """As for vectors."""
        VectorSerializer.prepare([row.vector for row in rows], viewer)

    def get_hint(self, row: Fit) -> str:
        return HINTS[row.fit]
