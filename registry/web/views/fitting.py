"""`/works-with`: what works with the model that one has, what may be carried over to it, or what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.catalog.models import BaseModelRevision
from registry.catalog.selectors import base_model_get, base_model_list
from registry.core.errors import NotFoundError
from registry.discovery.compatible import compatible_list
from registry.discovery.entries import WORKS_ON
from registry.presets.selectors import preset_search
from registry.web.cards import VectorCard, preset_card, vector_card
from registry.web.views.catalog import clean_text

SHOWN = 6
MODELS_OFFERED = 50
# How a vector fits -> the heading, and what to do with it.
FITS = {
    "exact": ("Works as it is", "Made for exactly these weights: pull it and steer."),
    "same_shape": (
        "Could be carried over: same shape",
        "Made for another revision with the same blocks and width. It may work as it is; measure it first.",
    ),
    "same_family": (
        "Could be migrated: same architecture",
        "Made for another model of this architecture. Its pairs can be extracted again on yours, in one run.",
    ),
}


@dataclass(frozen=True, slots=True)
class Fitting:
    """The vectors that fit in one way; `all_query` leads to all of them, empty where these are all."""

    fit: str
    heading: str
    hint: str
    cards: list[VectorCard]
    all_query: str


@require_safe
def works_with(request: HttpRequest) -> HttpResponse:
    """The question, and the answer for `?model=`, a name or a model hash."""
    asked = clean_text(request, "model")
    models = list(base_model_list()[:MODELS_OFFERED])
    context: dict[str, Any] = {"asked": asked, "models": sorted({row.name for row in models})}
    if asked:
        try:
            model = base_model_get(reference=asked)
        except NotFoundError:
            context["near"] = _alike(asked, models)
            context["is_unknown"] = True
        else:
            context |= _answer(request, model)
    return render(request, "catalog/works_with.html", context)


def _answer(request: HttpRequest, model: BaseModelRevision) -> dict[str, Any]:
    fittings = [found for fit in FITS if (found := _fitting(request, model, fit)).cards]
    presets = preset_search(viewer=request.user, model_hash=model.model_hash)
    return {
        "model": model,
        "revisions": list(base_model_list().filter(name=model.name)),
        "fittings": fittings,
        "works": bool(fittings) and fittings[0].fit == "exact",
        "presets": [preset_card(row) for row in presets.order_by("-created_at", "id")[:SHOWN]],
    }


def _fitting(request: HttpRequest, model: BaseModelRevision, fit: str) -> Fitting:
    rows = compatible_list(viewer=request.user, model_hash=model.model_hash, fit=fit, related=("downloads",))
    page, following = rows.page(SHOWN)
    query = ""
    if following:
        query = "/?" + urlencode({WORKS_ON: [row.model_hash for row in rows.revisions[:20]]}, doseq=True)
    return Fitting(fit, *FITS[fit], cards=[vector_card(found.vector) for found in page], all_query=query)


def _alike(asked: str, models: Iterable[BaseModelRevision]) -> list[str]:
    """Registered models that have a part of their name in common with what was typed."""
    parts = {part for part in asked.lower().replace("/", "-").split("-") if len(part) > 2}
    return sorted({row.name for row in models if any(part in row.name.lower() for part in parts)})[:5]
