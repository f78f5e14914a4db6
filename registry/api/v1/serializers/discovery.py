"""Searches, facets, similar vectors and what fits a base model, on the wire."""

from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework import serializers

from registry.catalog.states import Access, Grade, License, Verdict
from registry.discovery.search import ORDERS, Wanted
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


# Parameters that are facets as they stand; `base_model` is one of two.
_FACETS = ("model_hash", "family", "method", "site", "verdict", "grade", "license", "access")


def wanted_of(query: dict[str, Any]) -> Wanted:
    """The search that a validated query string asks for."""
    facets = {name: tuple(query.get(name, ())) for name in _FACETS}
    facets |= {name: tuple(v.lower() for v in query.get(name, ())) for name in ("trait", "language")}
    names = [value for value in query.get("base_model", ()) if not value.startswith("sha256:")]
    hashes = [value for value in query.get("base_model", ()) if value.startswith("sha256:")]
    since = query.get("since")
    return Wanted(
        text=query.get("q", ""),
        owner=query.get("owner", ""),
        facets=facets | {"base_model": tuple(names), "model_hash": (*facets["model_hash"], *hashes)},
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
        help_text="There are more than were counted: every number is a least one, of the best vectors."
    )
    facets = serializers.DictField(child=FacetValueSerializer(many=True))
