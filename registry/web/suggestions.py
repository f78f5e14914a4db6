"""What to do where a search found nothing: fewer filters, other traits, pairs to extract from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from registry.datasets.models import Dataset
from registry.datasets.selectors import dataset_list
from registry.discovery.facets import facet_counts
from registry.discovery.search import Wanted, vector_search
from registry.discovery.words import words_of

SHOWN = 6
DATASETS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Suggestions:
    """For an empty page.

    Attributes:
        unfiltered: the query of the same words without filters, where that finds something; else empty.
        traits: (trait, query), the nearest that exist.
        datasets: public ones that are about these words, to extract from.
    """

    unfiltered: str
    traits: Sequence[tuple[str, str]]
    datasets: Sequence[Dataset]


def suggestions_for(viewer: Any, wanted: Wanted) -> Suggestions:
    """What there is in place of what was searched for; a handful of small queries."""
    found = vector_search(viewer=viewer, wanted=Wanted(text=wanted.text))
    near, _ = found.page(SHOWN)
    is_narrowed = bool(wanted.facets or wanted.owner or wanted.since)
    traits = list(dict.fromkeys(row.trait.lower() for row in near if row.trait))
    if not traits:
        counts = facet_counts(viewer=viewer, wanted=replace(wanted, text="", facets={}, owner="", since=None))
        traits = [value for value, _ in counts.values["trait"][:SHOWN]]
    words = words_of(wanted.text)
    return Suggestions(
        unfiltered="?" + urlencode({"q": wanted.text} if wanted.text else {})
        if is_narrowed and near and not found.is_near
        else "",
        traits=[(trait, "/?" + urlencode({"trait": trait})) for trait in traits[:SHOWN]],
        datasets=list(dataset_list(viewer=viewer, query=words[0])[:DATASETS_SHOWN]) if words else [],
    )
