"""A vector as a card of the catalog."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.safestring import SafeString

from registry.catalog.models import Vector
from registry.catalog.states import Origin
from registry.web.curves import read_curve
from registry.web.numbers import minus
from registry.web.plots import sparkline
from registry.web.reports import read_poles, window_words


@dataclass(frozen=True, slots=True)
class VectorCard:
    """What a card says; verdict and grade are empty for a vector that was never published."""

    url: str
    title: str
    reference: str
    summary: str
    poles: tuple[str, str] | None
    verdict: str
    grade: str
    sparkline: SafeString
    window: str
    base_model: str
    is_private: bool
    is_imported: bool
    is_published: bool


def vector_card(vector: Vector) -> VectorCard:
    """The card of a vector whose `latest` and `owner` were fetched with it."""
    latest = vector.latest
    report = latest.report if latest else None
    curve = read_curve(report)
    verdict = latest.verdict if latest else ""
    name = str(vector)
    return VectorCard(
        url=reverse("web:vector", args=[vector.owner.slug, vector.name]),
        title=vector_title(vector),
        reference=f"{name}@{latest.version}" if latest else name,
        summary=vector.description or minus(str((report or {}).get("summary") or "")),
        poles=read_poles(report),
        verdict=verdict,
        grade=latest.grade if latest else "",
        sparkline=sparkline(curve, verdict),
        window=window_words(curve),
        base_model=latest.base_model.name if latest else "",
        is_imported=latest is not None and latest.origin == Origin.IMPORTED,
        is_private=vector.visibility == "private",
        is_published=latest is not None,
    )


def vector_title(vector: Vector) -> str:
    """The title, or the name as words: `no-hedging` -> `No hedging`."""
    return vector.title or vector.name.replace("-", " ").capitalize()
