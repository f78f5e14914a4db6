"""How many of the vectors found have which value of each facet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection

from registry.discovery.entries import FACETS
from registry.discovery.search import Wanted, matching

# Of a larger result as many are counted as come first to hand: to look for the best of a million takes long.
COUNTED = 1000
VALUES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class FacetCounts:
    """Values of each facet with their counts, most frequent first.

    Attributes:
        total: how many vectors were found.
        is_approximate: there are more than were counted, so that every number is a least one.
    """

    total: int
    values: Mapping[str, list[tuple[str, int]]]
    is_approximate: bool


def facet_counts(*, viewer: Any, wanted: Wanted) -> FacetCounts:
    """What a viewer could narrow a search down by. The values of a facet that is chosen from are counted as
    if it were not, so that one sees what else there is. One query, and one for each such facet.
    """
    total, counts = _counted(viewer, wanted)
    is_approximate = total > COUNTED
    values = {facet: _values(counts, facet) for facet in FACETS}
    for facet in (name for name in FACETS if wanted.facets.get(name)):
        others = {name: chosen for name, chosen in wanted.facets.items() if name != facet}
        n, without = _counted(viewer, replace(wanted, facets=others))
        is_approximate |= n > COUNTED
        values[facet] = _values(without, facet)
    return FacetCounts(min(total, COUNTED), values, is_approximate)


def _counted(viewer: Any, wanted: Wanted) -> tuple[int, dict[str, int]]:
    """How many rows, at most one more than are counted, and how many of them have each `facet=value`."""
    rows = matching(viewer, wanted).order_by()
    if rows.query.is_empty():
        return 0, {}
    inner, parameters = rows.values("facets")[: COUNTED + 1].query.sql_with_params()
    with connection.cursor() as cursor:
        # `inner` is Django's own SQL with placeholders. The empty text stands for the row itself. `unnest` in
        # the list of columns takes half the time that it takes in FROM.
        cursor.execute(
            f"SELECT unnest(found.facets || ''::text) AS value, count(*) FROM ({inner}) AS found "  # noqa: S608
            "GROUP BY value",
            parameters,
        )
        counts = dict(cursor.fetchall())
    return counts.pop("", 0), counts


def _values(counts: Mapping[str, int], facet: str) -> list[tuple[str, int]]:
    found = [
        (name.removeprefix(f"{facet}="), n) for name, n in counts.items() if name.startswith(f"{facet}=")
    ]
    return sorted(found, key=lambda item: (-item[1], item[0]))[:VALUES_SHOWN]
