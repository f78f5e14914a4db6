"""What works with the base model that one has: vectors for exactly that revision, and those that may be
carried over. docs/model-updates.md says how.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from registry.catalog.models import BaseModelRevision, Vector, VectorVersion
from registry.catalog.selectors import base_model_get
from registry.catalog.states import VersionState
from registry.core.naming import version_key
from registry.discovery.entries import WORKS_ON
from registry.discovery.search import Found, Wanted

# How a vector fits -> what to do with it.
HINTS = {
    "exact": "",
    "same_shape": "made for another revision of this shape: ask `bearing compatibility` whether it still "
    "works; if not, extract again, or carry it over with `bearing migrate`",
    "same_family": "made for another model of this family: extract again, or carry it over with "
    "`bearing migrate`",
}


@dataclass(frozen=True, slots=True)
class Fit:
    """A vector, its highest published version for one of the revisions asked for, and how that fits."""

    vector: Vector
    version: VectorVersion
    fit: str


class Fitting:
    """The vectors that fit, a page at a time: three queries each."""

    def __init__(self, found: Found, revisions: list[BaseModelRevision], fit: str) -> None:
        self.found = found
        self.revisions = revisions
        self.fit = fit

    def page(self, limit: int, cursor: str = "") -> tuple[list[Fit], str]:
        """As `search.Found.page`."""
        vectors, following = self.found.page(limit, cursor)
        highest = _highest(vectors, self.revisions)
        for row in vectors:
            if row.pk in highest:
                highest[row.pk].vector = row
        return [Fit(row, highest[row.pk], self.fit) for row in vectors if row.pk in highest], following


def compatible_list(
    *, viewer: Any, model_hash: str, fit: str = "exact", related: tuple[str, ...] = ()
) -> Fitting:
    """Published vectors that the viewer may see in lists and that fit a base model revision, the best first.

    Args:
        fit: of `HINTS`; the looser ones leave out what fits better.
    Raises:
        NotFoundError: there is no such base model revision here.
    """
    model = base_model_get(reference=model_hash)
    revisions = _revisions(model, fit)
    wanted = Wanted(facets={WORKS_ON: tuple(row.model_hash for row in revisions)})
    found = Found(viewer, wanted, related)
    if not revisions:
        found.rows = found.rows.none()
    if fit != "exact":
        better = [model, *(_revisions(model, "same_shape") if fit == "same_family" else ())]
        found.rows = found.rows.exclude(facets__overlap=[f"{WORKS_ON}={row.model_hash}" for row in better])
    return Fitting(found, revisions, fit)


def _revisions(model: BaseModelRevision, fit: str) -> list[BaseModelRevision]:
    if fit == "exact":
        return [model]
    others = BaseModelRevision.objects.filter(architecture=model.architecture).exclude(pk=model.pk)
    shape = {"n_layers": model.n_layers, "d_model": model.d_model}
    return list(others.filter(**shape) if fit == "same_shape" else others.exclude(**shape))


def _highest(vectors: Iterable[Vector], revisions: list[BaseModelRevision]) -> dict[Any, VectorVersion]:
    """Vector id -> its highest published version for one of these revisions."""
    rows = VectorVersion.objects.filter(
        vector__in=list(vectors), base_model__in=revisions, state=VersionState.PUBLISHED
    ).select_related("base_model")
    ordered = sorted(
        rows.defer("report", "manifest", "spec"), key=lambda row: version_key(row.version or "0.0.0")
    )
    return {row.vector_id: row for row in ordered}
