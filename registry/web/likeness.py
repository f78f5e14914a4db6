"""Vectors like another, for its page: what it is a copy of, and what points like it or against it."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from registry.catalog.models import VectorVersion
from registry.discovery.similar import NOTICES, near_copies_of, relation, similar_list
from registry.web.cards import title_of
from registry.web.numbers import minus

SHOWN = 6
# Less alike than that is as unlike as any two vectors.
LEAST = 0.3
WORDS = {"near_duplicate": "near duplicate", "sign_flipped": "sign flipped", "similar": "similar"}


@dataclass(frozen=True, slots=True)
class Likeness:
    """Another version, and how it points."""

    title: str
    reference: str
    url: str
    cosine: str
    relation: str
    words: str
    verdict: str


def copied_from(viewer: Any, version: VectorVersion) -> list[Likeness]:
    """What a version is a copy of, as far as the viewer may know."""
    if not getattr(version, "has_near_copies", True):
        return []
    rows = near_copies_of(viewer=viewer, version=version)[:NOTICES]
    return [_likeness(row.source, row.cosine) for row in rows]


def like_it(viewer: Any, version: VectorVersion) -> list[Likeness]:
    """Other vectors for the same base model that are clearly like it, with either sign."""
    found = similar_list(viewer=viewer, version=version, limit=SHOWN) if version.artifact_id else []
    return [_likeness(item.version, item.cosine) for item in found if abs(item.cosine) >= LEAST]


def _likeness(version: VectorVersion, cosine: float) -> Likeness:
    vector, kind = version.vector, relation(cosine)
    return Likeness(
        title=title_of(vector),
        reference=str(version),
        url=reverse("web:vector_version", args=(vector.owner.slug, vector.name, version.version)),
        cosine=minus(f"{cosine:.2f}" if kind == "similar" else f"{cosine:.4f}"),
        relation=kind,
        words=WORDS[kind],
        verdict=version.verdict,
    )
